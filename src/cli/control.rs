//! The control socket: one request a line, one answer a line, JSON, in a directory that only its owner can enter.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::admin::{Admin, Answer, Request};
use crate::clock::{Clock, timeout};
use crate::store::data_dir::DataDir;
use crate::task::{Stop, TaskSet};

/// Longest request line; the longest real one is a few hundred bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// Commands at once; they come from people and scripts.
const COMMANDS_MAX: usize = 16;
/// A command that takes longer has lost its server.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one command to the server that owns `data`. `Ok(None)`: no server listens there.
pub fn ask(data: &Path, request: &Request) -> io::Result<Option<Answer>> {
    let mut stream = match StdUnixStream::connect(DataDir::control_path(data)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(COMMAND_TIMEOUT))?;
    let mut line = serde_json::to_string(request).expect("plain values");
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    serde_json::from_str(&answer).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Listens in the data directory. A socket left by a process that died is replaced: the caller holds the lock.
pub fn listen(data: &DataDir) -> io::Result<UnixListener> {
    let path = DataDir::control_path(data.path());
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves commands until `stop`.
pub async fn serve(listener: UnixListener, admin: Admin, clock: Arc<dyn Clock>, tasks: TaskSet, stop: Stop) {
    let permits = Arc::new(Semaphore::new(COMMANDS_MAX));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            biased;
            () = stop.pulled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            clock.sleep(crate::limits::ACCEPT_RETRY).await;
            continue;
        };
        let (admin, clock) = (admin.clone(), clock.clone());
        tasks.spawn("control", async move {
            match timeout(&*clock, COMMAND_TIMEOUT, serve_one(stream, &admin)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "control socket"),
                Err(_) => tracing::warn!("control command took too long"),
            }
            drop(permit);
        });
    }
}

async fn serve_one(stream: UnixStream, admin: &Admin) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    AsyncBufReader::new(read.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => admin.carry_out(request).await,
        Err(error) => Answer::Failed { why: format!("not a command: {error}") },
    };
    let mut text = serde_json::to_string(&answer).expect("plain values");
    text.push('\n');
    write.write_all(text.as_bytes()).await
}
