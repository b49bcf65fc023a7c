//! The real program as a child process, for what only a process can show: output, exit codes, signals, death.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::KEY;

/// A running `livebucket serve`. Killed when dropped.
pub struct Program {
    child: Child,
    /// Where it listens: HTTP and RTMP.
    pub addr: SocketAddr,
    /// Its admin listener.
    pub admin: SocketAddr,
    stderr: Option<std::thread::JoinHandle<String>>,
}

/// `livebucket ARGS`, without the surrounding environment's settings.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livebucket"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LIVEBUCKET_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub fn run_ok(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The data directory that [`Program::start`] uses below `dir`.
pub fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

impl Program {
    /// With the usual test key.
    pub fn start(dir: &Path, more: &[&str]) -> Program {
        let key = ["--access-key", KEY.0, "--secret-key", KEY.1];
        Program::start_bare(dir, &[&key, more].concat())
    }

    /// Without a key.
    pub fn start_bare(dir: &Path, more: &[&str]) -> Program {
        let data = data(dir);
        let mut args = vec!["serve", "--data", data.to_str().expect("UTF-8"), "--log-format", "json"];
        args.extend(["--listen", "127.0.0.1:0", "--rtmp-listen", "none", "--admin-listen", "127.0.0.1:0"]);
        args.extend(more);
        let mut child =
            command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut log = String::new();
        let (addr, admin) = loop {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).expect("readable"), 0, "it ended before it was ready:\n{log}");
            log.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).expect("a JSON object a line");
            if event["message"] == "livebucket is ready" {
                let addr = |name: &str| event[name].as_str().expect("text").parse().expect("an address");
                break (addr("listen"), addr("admin"));
            }
        };
        let stderr = std::thread::spawn(move || {
            let mut rest = log;
            // A line that is cut by a kill is of no interest.
            let _ = lines.read_to_string(&mut rest);
            rest
        });
        Program { child, addr, admin, stderr: Some(stderr) }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The same key over HTTP.
    pub fn client(&self) -> super::Client {
        super::Client::new(self.addr, KEY)
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }

    /// SIGTERM; standard output, and the log.
    pub fn terminate(mut self) -> (String, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("a child");
        let mut out = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut out).expect("UTF-8");
        let log = self.stderr.take().expect("not joined yet").join().expect("the reader ends");
        assert!(status.success(), "{status}\n{log}");
        (out, log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
