//! A TCP proxy that disturbs what goes through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// How long a half-open connection still looks open to the server.
const HALF_OPEN: Duration = Duration::from_secs(3);

/// What happens to all connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    /// Both ends see a reset; what is on the way is lost.
    Cut,
    /// Only the client sees an end.
    HalfOpen,
    /// Nothing goes on for a time.
    Stall(Duration),
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    server: Arc<str>,
    disturb: Sender<Disturbance>,
    is_refusing: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the server at this address.
    pub(crate) async fn start(server: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            server: server.into(),
            disturb: channel(16).0,
            is_refusing: Arc::default(),
            accepted: Arc::default(),
        };
        tokio::spawn(proxy.clone().accept(listener));
        proxy
    }

    /// Does it to all connections that there are.
    pub(crate) fn disturb(&self, disturbance: Disturbance) {
        // Without a connection nobody is disturbed.
        let _ = self.disturb.send(disturbance);
    }

    /// Resets new connections for a time.
    pub(crate) async fn refuse(&self, time: Duration) {
        self.is_refusing.store(true, Ordering::Relaxed);
        tokio::time::sleep(time).await;
        self.is_refusing.store(false, Ordering::Relaxed);
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            if self.is_refusing.load(Ordering::Relaxed) {
                reset(client);
                continue;
            }
            self.accepted.fetch_add(1, Ordering::Relaxed);
            let disturbances = self.disturb.subscribe();
            let server = Arc::clone(&self.server);
            tokio::spawn(async move {
                match TcpStream::connect(&*server).await {
                    Ok(server) => carry(client, server, disturbances).await,
                    Err(_) => reset(client),
                }
            });
        }
    }
}

/// Carries bytes until an end closes, or the connection is disturbed for good.
async fn carry(mut client: TcpStream, mut server: TcpStream, mut disturbances: Receiver<Disturbance>) {
    let (mut from_client, mut from_server) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        let is_carried = tokio::select! {
            biased;
            disturbance = disturbances.recv() => match disturbance {
                Ok(Disturbance::Stall(time)) => {
                    tokio::time::sleep(time).await;
                    true
                }
                Ok(Disturbance::HalfOpen) => {
                    reset(client);
                    tokio::time::sleep(HALF_OPEN).await;
                    return;
                }
                Ok(Disturbance::Cut) | Err(_) => {
                    reset(client);
                    reset(server);
                    return;
                }
            },
            length = client.read(&mut from_client) => passed(length, &from_client, &mut server).await,
            length = server.read(&mut from_server) => passed(length, &from_server, &mut client).await,
        };
        if !is_carried {
            return;
        }
    }
}

async fn passed(length: std::io::Result<usize>, bytes: &[u8], to: &mut TcpStream) -> bool {
    match length {
        Ok(0) | Err(_) => false,
        Ok(length) => to.write_all(&bytes[..length]).await.is_ok(),
    }
}

/// Ends a connection without a farewell.
fn reset(stream: TcpStream) {
    // One that has ended already is not ended again.
    let _ = stream.set_zero_linger();
}
