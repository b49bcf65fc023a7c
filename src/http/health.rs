//! The admin listener: liveness, readiness and metrics. Loopback by default, because nothing here is authenticated.

use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;

use super::body::{Content, ResponseBody};
use super::socket::{self, Answering, Phase};
use crate::clock::Clock;
use crate::net::listen::DoorStream;
use crate::task::Stop;

/// Asked on each `/health/ready`.
pub type Readiness = Arc<dyn Fn() -> bool + Send + Sync>;

/// Serves the admin listener's sockets.
pub struct HealthService {
    metrics: PrometheusHandle,
    ready: Readiness,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HealthService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthService").finish_non_exhaustive()
    }
}

impl HealthService {
    /// `ready` says whether requests on the other listeners are answered.
    pub fn new(metrics: PrometheusHandle, ready: Readiness, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(HealthService { metrics, ready, clock })
    }

    /// Serves one socket to its end.
    pub async fn serve(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        let clock = Arc::clone(&self.clock);
        let service = move |request: Request<Incoming>, phase: Phase| -> Answering {
            let this = Arc::clone(&self);
            Box::pin(async move {
                let _busy = phase.busy();
                if !request.body().is_end_stream() {
                    phase.leave_unread();
                }
                Ok(this.respond(request.method(), request.uri().path()))
            })
        };
        if let Err(error) = socket::drive(stream, clock, stop, service, None).await {
            tracing::debug!(%error, "admin socket ended");
        }
    }

    fn respond(&self, method: &Method, path: &str) -> Response<ResponseBody> {
        let (status, text) = match (method, path) {
            (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, self.metrics.render()),
            (&Method::GET | &Method::HEAD, "/health/live") => (StatusCode::OK, "live\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/health/ready") if (self.ready)() => (StatusCode::OK, "ready\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/health/ready") => {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned())
            }
            (_, "/metrics" | "/health/live" | "/health/ready") => {
                (StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned())
            }
            _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
        };
        let length = text.len();
        let content = if method == Method::HEAD { Content::Empty } else { Content::Bytes(text.into()) };
        let mut response = Response::new(ResponseBody::new(content, None));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        // The version is that of Prometheus's text exposition format; the other answers are plain text as well.
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::clock::SystemClock;
    use crate::task::TaskSet;

    async fn ask(request: &str, ready: bool) -> String {
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let service = HealthService::new(handle, Arc::new(move || ready), Arc::new(SystemClock::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let tasks = TaskSet::new();
        tasks.spawn("test-admin", async move {
            let (stream, peer) = listener.accept().await.expect("accept");
            service.serve(DoorStream::plain(stream, peer), Stop::new()).await;
        });
        #[allow(clippy::disallowed_methods, reason = "a test is its own client")]
        let mut client = TcpStream::connect(address).await.expect("connect");
        client.write_all(request.as_bytes()).await.expect("send");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("answer");
        tasks.join().await;
        answer
    }

    #[tokio::test]
    async fn paths_answer_as_documented() {
        for (path, ready, status, body) in [
            ("/health/live", false, "200 OK", "live\n"),
            ("/health/ready", true, "200 OK", "ready\n"),
            ("/health/ready", false, "503 Service Unavailable", "not ready\n"),
            ("/metrics", true, "200 OK", ""),
            ("/", true, "404 Not Found", "not found\n"),
        ] {
            let answer = ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), ready).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{path}: {answer}");
        }
        let answer = ask("POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", true);
        assert!(answer.await.starts_with("HTTP/1.1 405 "));
    }
}
