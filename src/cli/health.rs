//! `livebucket health`: one request to the admin listener, for container health checks without curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Failure;

/// Arguments of `livebucket health`.
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// The server's admin listener
    #[arg(long, env = "LIVEBUCKET_ADMIN_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9001")]
    pub admin: SocketAddr,
}

/// Succeeds when the server says that it is ready.
pub fn run(args: &HealthArgs) -> Result<(), Failure> {
    let mut admin = args.admin;
    if admin.ip().is_unspecified() {
        admin.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let status = ask(admin).map_err(|error| Failure::failed(format!("{admin}: {error}")))?;
    match status.as_str() {
        "200" => {
            println!("ready");
            Ok(())
        }
        other => Err(Failure::failed(format!("not ready (status {other})"))),
    }
}

#[allow(clippy::disallowed_methods, reason = "the server's own admin listener, named by the operator")]
fn ask(admin: SocketAddr) -> std::io::Result<String> {
    let wait = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&admin, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.write_all(format!("GET /health/ready HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}
