//! What stands on a broker, and what is wanted there.

use broker::{Connection, QueueOptions, Table};

use crate::queue::{amqp, management, orchard};

fn topology(action: &str, endpoint: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = orchard(&[&["topology", action, "--endpoint", endpoint], more].concat());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_missing_is_named_and_deployed_and_what_differs_is_left_alone() {
    let name = format!("topology-{}", uuid::Uuid::new_v4());
    let (code, said) = topology("check", &name, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("queue {name}")) && said.contains("absent"), "{said}");
    assert!(said.contains(&format!("binding of {name} to queue {name}")), "{said}");

    let (code, said) = topology("deploy", &name, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("declared queue {name}")), "{said}");
    let (code, said) = topology("check", &name, &[]);
    assert_eq!((code, said.contains("are as wanted")), (Some(0), true), "{said}");
    let (code, said) = topology("deploy", &name, &[]);
    assert_eq!((code, said.contains("declared")), (Some(0), false), "{said}");

    // Wanted is another type: what exists stays, and what a .NET service then meets is said.
    for action in ["check", "deploy"] {
        let (code, said) = topology(action, &name, &["--queues", "quorum"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("never returns") && said.contains(&format!("queue:{name}")), "{said}");
    }
    let (code, said) = topology("diff", &name, &["--queues", "quorum"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("- queue {name}: quorum")), "{said}");
    assert!(said.contains(&format!("+ queue {name}: classic")), "{said}");
    let (code, said) = topology("check", &name, &[]);
    assert_eq!(code, Some(0), "{said}");

    // A queue of what failed is compared where it is there.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = Connection::open(&amqp().parse().unwrap(), "test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        let quorum = QueueOptions::durable().with_arguments(Table::default().with("x-queue-type", "quorum"));
        channel.declare_queue(&format!("{name}_error"), &quorum).await.unwrap();
        let (code, said) = topology("check", &name, &[]);
        assert_eq!((code, said.contains(&format!("queue {name}_error"))), (Some(1), true), "{said}");
        for queue in [name.clone(), format!("{name}_error")] {
            channel.delete_queue(&queue).await.unwrap();
            channel.delete_exchange(&queue).await.unwrap();
        }
        connection.close().await.unwrap();
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_cannot_be_seen_without_the_management_api_is_said() {
    let name = format!("topology-{}", uuid::Uuid::new_v4());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_orchard"))
        .args(["topology", "check", "--management", "none", "--endpoint", &name, "--url", &amqp()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("absent") && said.contains("management API alone"), "{said}");
    assert!(!management().is_empty());
}
