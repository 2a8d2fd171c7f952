//! A server that only this process uses: on a free port of 127.0.0.1, in a temporary folder.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A server that does not answer after this long does not come.
const START: Duration = Duration::from_secs(10);
/// Between tries whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// Ends with this.
pub struct PrivateServer {
    child: Child,
    pub port: u16,
    _folder: TempDir,
}

impl PrivateServer {
    /// Starts what `command` makes of a port and a folder, and waits until it listens.
    pub fn start(command: impl FnOnce(u16, &Path) -> Result<Command>) -> Result<Self> {
        let folder = tempfile::tempdir().context("there is no room for a temporary folder; free some")?;
        let free = TcpListener::bind("127.0.0.1:0").context("no port is free; see who has them")?;
        let port = free.local_addr()?.port();
        drop(free);
        let mut command = ends_with_us(command(port, folder.path())?);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("{name} does not start; install it"))?;
        let mut server = Self { child, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), START).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{name} ended at once, {status}; what it says is above");
            }
            if began.elapsed() > START {
                bail!("{name} does not listen after {START:?}; try it by hand");
            }
            std::thread::sleep(LOOK);
        }
        Ok(server)
    }
}

/// Where the system can, the server also ends when this process is killed.
fn ends_with_us(command: Command) -> Command {
    let is_there = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    wrapped
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
