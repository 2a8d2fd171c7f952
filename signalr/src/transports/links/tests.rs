//! Clients that poll, when the server stops.

use tokio::time::Instant;

use super::*;
use crate::transports::input::Input;

const WITHIN: Duration = Duration::from_secs(60);

/// A connection that was begun by a poll; no poll waits.
fn polled(links: &Arc<Links>) -> (Arc<Link>, Input) {
    let link = links.negotiate(Client { user: None, address: None }, false, false).unwrap();
    assert!(matches!(links.attach_poll(&link), Ok(Poll::First)));
    let input = Input::of(link.inbox.clone());
    (link, input)
}

/// The handler says goodbye, and returns.
fn say_goodbye(links: &Links, link: &Link) {
    link.outbox.close(Some(bytes::Bytes::from_static(b"goodbye")));
    links.served(link);
}

/// What a poll brings.
async fn poll(links: &Arc<Links>, link: &Arc<Link>) -> Vec<u8> {
    let Ok(Poll::Later(polling, attachment)) = links.attach_poll(link) else { panic!("no later poll") };
    let mut taken = Vec::new();
    if link.outbox.take(attachment, usize::MAX, &mut taken).await == crate::outbox::Taken::Closed {
        polling.closes();
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_client_that_polls_no_more_does_not_hold_the_end_up_and_counts_as_cut() {
    let links = Links::new(Options::default());
    let (link, _input) = polled(&links);
    let begin = Instant::now();
    let shut_down = tokio::spawn({
        let links = links.clone();
        async move { links.shut_down(WITHIN).await }
    });
    tokio::task::yield_now().await;
    say_goodbye(&links, &link);
    assert_eq!(shut_down.await.unwrap(), 1);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_within_two_seconds_gets_its_close() {
    let links = Links::new(Options::default());
    let (link, _input) = polled(&links);
    let shut_down = tokio::spawn({
        let links = links.clone();
        async move { links.shut_down(WITHIN).await }
    });
    tokio::time::sleep(Duration::from_millis(1900)).await;
    say_goodbye(&links, &link);
    assert_eq!(poll(&links, &link).await, b"goodbye");
    tokio::time::sleep(Duration::from_millis(1900)).await;
    assert_eq!(poll(&links, &link).await, b"");
    assert_eq!(shut_down.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_its_close_and_does_not_come_for_the_end_is_not_cut() {
    let links = Links::new(Options::default());
    let (link, _input) = polled(&links);
    let begin = Instant::now();
    let shut_down = tokio::spawn({
        let links = links.clone();
        async move { links.shut_down(WITHIN).await }
    });
    tokio::task::yield_now().await;
    say_goodbye(&links, &link);
    assert_eq!(poll(&links, &link).await, b"goodbye");
    assert_eq!(shut_down.await.unwrap(), 0);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_still_works_is_told_that_its_client_polls_no_more() {
    let links = Links::new(Options::default());
    let (_link, mut input) = polled(&links);
    let shut_down = tokio::spawn({
        let links = links.clone();
        async move { links.shut_down(WITHIN).await }
    });
    assert_eq!(input.next().await, Some(crate::transports::Received::Stopping));
    assert_eq!(input.next().await, None);
    assert_eq!(shut_down.await.unwrap(), 1);
}
