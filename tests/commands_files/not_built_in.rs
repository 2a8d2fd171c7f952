//! What a build without the feature `rabbitmq` says to the commands that need it.

use crate::program::Folder;

#[test]
fn a_command_that_is_left_out_says_which_build_has_it() {
    let folder = Folder::new();
    for command in ["ingest", "run", "status", "errors", "plan", "verify"] {
        for args in [&[][..], &["--help"], &["cap.zst", "--feed", "btc", "--anything"]] {
            let ran =
                folder.fails(2, &[&[command], args].concat(), &[&format!("this build has no `{command}`")]);
            assert!(ran.stderr.contains(&format!("--features rabbitmq -- {command}")), "{}", ran.stderr);
            assert!(ran.stdout.is_empty());
        }
    }
    assert!(!folder.done(&["--help"]).contains("ingest"), "it is not offered");
}
