//! A whole service in a temporary directory, and the far ends that speak to it: signed HTTP, RTMP.

pub mod dump;
pub mod http;
pub mod program;
pub mod rtmp;
pub mod s3;
pub mod streams;
pub mod viewer;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use livebucket::app::{Service, StartError};
use livebucket::config::Settings;
use livebucket::store::data_dir::DataDirError;
use livebucket::store::seal::MasterKeys;

pub use http::Client;

/// The access key that every test service has.
pub const KEY: (&str, &str) = ("testAccessKeyId", "testAccessKeySecret");

/// A running service with its directory.
pub struct Server {
    pub service: Service,
    pub dir: tempfile::TempDir,
}

/// Settings of a service on free ports in `dir`.
pub fn settings(dir: &Path) -> Settings {
    Settings {
        data: Some(dir.join("data")),
        listen: Some(vec!["127.0.0.1:0".into()]),
        rtmp_listen: Some(vec!["127.0.0.1:0".into()]),
        admin_listen: Some("127.0.0.1:0".into()),
        access_key: Some(KEY.0.into()),
        secret_key: Some(KEY.1.into()),
        ..Settings::default()
    }
}

impl Server {
    pub async fn start() -> Server {
        Server::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        let mut settings = settings(dir.path());
        change(&mut settings);
        Server::start_in(dir, settings).await
    }

    pub async fn start_in(dir: tempfile::TempDir, settings: Settings) -> Server {
        let config = settings.validate().expect("valid settings");
        let service = once_unlocked(async || Service::start(&config).await).await.expect("a service");
        Server { service, dir }
    }

    pub fn addr(&self) -> SocketAddr {
        self.service.listen[0]
    }

    /// A client with the root key, path style.
    pub fn client(&self) -> Client {
        Client::new(self.addr(), KEY)
    }

    /// A client of the S3 dialect with the root key, path style.
    pub fn s3(&self) -> s3::Client {
        s3::Client::new(self.addr(), KEY)
    }

    /// Stops gracefully and proves the invariants on what is left.
    pub async fn stop_and_check(self) -> tempfile::TempDir {
        self.service.stop().await;
        check(self.dir.path()).await;
        self.dir
    }
}

/// Fails with the checker's report unless the directory is sound.
pub async fn check(dir: &Path) {
    check_sealed(dir, MasterKeys::default()).await;
}

/// The same of a directory that is sealed with these keys.
pub async fn check_sealed(dir: &Path, keys: MasterKeys) {
    let open = async || livebucket::app::Stores::open_sealed(&dir.join("data"), false, keys.clone());
    let stores = once_unlocked(open).await.expect("at rest");
    let options = livebucket::store::recovery::CheckOptions { verify_bytes: true };
    let report = livebucket::store::recovery::check(&*stores.meta, &*stores.blobs, options).await.expect("readable");
    assert!(report.is_clean(), "{report}");
    stores.meta.close().await.expect("closes");
}

/// Opens a directory whose lock this process has let go. Another test may start a program at this very moment: until it runs,
/// its process has every file of this one, the lock among them.
async fn once_unlocked<T>(open: impl AsyncFn() -> Result<T, StartError>) -> Result<T, StartError> {
    eventually("the lock of a directory at rest", || async {
        match open().await {
            Err(StartError::DataDir(DataDirError::InUse(_))) => None,
            opened => Some(opened),
        }
    })
    .await
}

/// Waits until `condition` holds; the deadline only bounds a failure.
#[allow(clippy::disallowed_methods, reason = "waiting for another process's or task's effect")]
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    for _ in 0..1_000 {
        if let Some(value) = condition().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came true: {what}");
}
