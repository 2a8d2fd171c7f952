//! A link to a server that can stop forwarding without closing, be cut for good, and be slow.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::waiting::pause;

/// So many chunks are in flight in each direction, at most.
const CHUNKS: usize = 256;
const CHUNK_BYTES: usize = 64 << 10;

/// How often a thread that waits looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Forwards connections to one address.
pub(crate) struct Proxy {
    port: u16,
    control: Arc<Control>,
}

#[derive(Default)]
struct Control {
    /// How long a byte takes, in ms.
    latency: AtomicU64,
    /// Whether connections come to nothing.
    is_cut: AtomicBool,
    closed: AtomicBool,
    links: Mutex<Vec<Arc<Link>>>,
}

/// One forwarded connection.
#[derive(Default)]
struct Link {
    silent: AtomicBool,
}

type Chunk = (Instant, Vec<u8>);

impl Proxy {
    /// Forwards to `address`, as `127.0.0.1:5672`.
    pub(crate) fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        listener.set_nonblocking(true).expect("it does not block");
        let control = Arc::<Control>::default();
        let (shared, address) = (control.clone(), address.to_owned());
        std::thread::spawn(move || accept(&listener, &address, &shared));
        Self { port, control }
    }

    /// A server's URL with this proxy in place of its own address.
    pub(crate) fn instead_of(&self, url: &str) -> String {
        url.replace(address_of(url), &format!("127.0.0.1:{}", self.port))
    }

    /// From now on each byte takes this time more.
    pub(crate) fn slow_down(&self, latency: Duration) {
        self.control.latency.store(latency.as_millis() as u64, Ordering::Relaxed);
    }

    /// Forwards nothing more on any connection, nor on later ones, and closes none: as a cable that is
    /// pulled out, or a firewall that drops what it gets.
    pub(crate) fn cut(&self) {
        self.control.is_cut.store(true, Ordering::Relaxed);
        self.fall_silent();
    }

    /// Later connections work again after [`Proxy::cut`].
    pub(crate) fn mend(&self) {
        self.control.is_cut.store(false, Ordering::Relaxed);
    }

    /// Forwards nothing more on the connections that there are, and closes none; later ones work.
    /// Gives how many they are.
    pub(crate) fn fall_silent(&self) -> usize {
        let mut links = self.control.links.lock().expect("no thread panicked");
        links.iter().for_each(|link| link.silent.store(true, Ordering::Relaxed));
        std::mem::take(&mut *links).len()
    }
}

/// Host and port of a server's URL.
pub(crate) fn address_of(url: &str) -> &str {
    let behind_login = url.rsplit_once('@').expect("a URL with a login").1;
    behind_login.split(['/', '?']).next().expect("a part")
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.closed.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, address: &str, control: &Arc<Control>) {
    while !control.closed.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            pause(LOOK_EVERY);
            continue;
        };
        // The server is down: so is the link to it.
        let Ok(broker) = TcpStream::connect(address) else { continue };
        let link = Arc::new(Link { silent: AtomicBool::new(control.is_cut.load(Ordering::Relaxed)) });
        control.links.lock().expect("no thread panicked").push(link.clone());
        for (from, to) in [(&client, &broker), (&broker, &client)] {
            from.set_nonblocking(false).expect("it blocks");
            from.set_nodelay(true).expect("small messages go at once");
            let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
            let (sender, receiver) = sync_channel(CHUNKS);
            let (control_in, link_in) = (control.clone(), link.clone());
            let (control_out, link_out) = (control.clone(), link.clone());
            std::thread::spawn(move || take_in(from, &sender, &control_in, &link_in));
            std::thread::spawn(move || give_out(to, &receiver, &control_out, &link_out));
        }
    }
}

/// Reads until the sender closes; the channel's end says so to the other side.
fn take_in(mut from: TcpStream, chunks: &SyncSender<Chunk>, control: &Control, link: &Link) {
    from.set_read_timeout(Some(LOOK_EVERY)).expect("a timeout");
    let mut buffer = vec![0; CHUNK_BYTES];
    while !control.closed.load(Ordering::Relaxed) {
        if link.silent.load(Ordering::Relaxed) {
            pause(LOOK_EVERY);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                let due = Instant::now() + Duration::from_millis(control.latency.load(Ordering::Relaxed));
                if chunks.send((due, buffer[..read].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

fn give_out(mut to: TcpStream, chunks: &Receiver<Chunk>, control: &Control, link: &Link) {
    while !control.closed.load(Ordering::Relaxed) {
        match chunks.recv_timeout(LOOK_EVERY) {
            Ok((due, bytes)) => {
                pause(due.saturating_duration_since(Instant::now()));
                if link.silent.load(Ordering::Relaxed) {
                    continue;
                }
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo comes within this time, where there is one.
    const COMES: Duration = Duration::from_secs(10);
    /// Where there is to be none, it is waited for so long.
    const STAYS_AWAY: Duration = Duration::from_millis(500);

    /// Sends a byte and waits for its echo; `None` if there is none in time.
    fn echo(stream: &mut TcpStream, time: Duration) -> Option<Duration> {
        let started = Instant::now();
        stream.write_all(b"x").expect("it is taken");
        stream.set_read_timeout(Some(time)).expect("a timeout");
        stream.read_exact(&mut [0]).ok().map(|()| started.elapsed())
    }

    #[test]
    fn it_forwards_slows_down_and_falls_silent() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("its address").to_string();
        std::thread::spawn(move || {
            for stream in server.incoming().map_while(Result::ok) {
                let mut back = stream.try_clone().expect("a handle");
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut back));
            }
        });
        let proxy = Proxy::to(&address);
        let url = proxy.instead_of(&format!("amqp://me:secret@{address}/%2f"));
        let mut first = TcpStream::connect(address_of(&url)).expect("the proxy listens");
        assert!(echo(&mut first, COMES).is_some());
        proxy.slow_down(Duration::from_millis(50));
        assert!(echo(&mut first, COMES) >= Some(Duration::from_millis(100)));
        assert_eq!(proxy.fall_silent(), 1);
        assert_eq!(echo(&mut first, STAYS_AWAY), None);
        let mut second = TcpStream::connect(address_of(&url)).expect("the proxy listens");
        assert!(echo(&mut second, COMES).is_some());
        proxy.cut();
        let mut third = TcpStream::connect(address_of(&url)).expect("the proxy listens");
        assert_eq!((echo(&mut second, STAYS_AWAY), echo(&mut third, STAYS_AWAY)), (None, None));
        proxy.mend();
        let mut fourth = TcpStream::connect(address_of(&url)).expect("the proxy listens");
        assert!(echo(&mut fourth, COMES).is_some());
    }
}
