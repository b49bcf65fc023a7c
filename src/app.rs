//! Wiring: a validated [`Config`] becomes a running service. Backends are chosen here; the order of start and stop
//! stands on one screen.
//!
//! What needs no system (stores recovered, rooms wired, jobs, the order of the stop) is [`core`], which a simulation runs as it is.

pub mod core;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::core::{Core, JobTimes};
use crate::auth::policy::PolicyCache;
use crate::auth::signing_keys::SigningKeys;
use crate::cli::admin::{Admin, Key, ROOT_ACCOUNT};
use crate::cli::control;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, master_keys};
use crate::http::health::HealthService;
use crate::http::server::{HttpDeps, HttpService};
use crate::limits;
use crate::live::registry::Registry;
use crate::net::crowd::Crowd;
use crate::net::descriptors;
use crate::net::guard::{Guard, system_roots};
use crate::net::listen::{DoorKind, DoorStream, Doors, Handler};
use crate::rtmp::server::RtmpService;
use crate::store::blob::fs::FsBlobStore;
use crate::store::blob::sealed::SealedBlobStore;
use crate::store::data_dir::{DataDir, DataDirError};
use crate::store::meta::sqlite::SqliteMetaStore;
use crate::store::objects::Quota;
use crate::store::seal::MasterKeys;
use crate::store::{Acl, BlobStore, BucketName, ChannelConfig, ChannelName, MetaStore, StoreError};
use crate::task::Stop;

/// The demo's bucket and channel.
pub const DEMO: (&str, &str) = ("demo", "live");

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// An address.
    #[error("listen on {addr}: {source}")]
    Listen {
        /// Which.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Master keys.
    #[error(transparent)]
    MasterKey(#[from] ConfigError),
    /// Certificate or key.
    #[error("TLS: {0}")]
    Tls(String),
    /// The control socket.
    #[error("control socket: {0}")]
    Control(io::Error),
    /// The configured access key.
    #[error("{0}")]
    AccessKey(String),
}

/// The stores of one data directory, under its lock.
pub struct Stores {
    /// Lock and layout. Dropped last.
    pub data: DataDir,
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Stores {
    /// Owns a directory that is not sealed, and opens what is in it.
    pub fn open(path: &Path, create: bool) -> Result<Stores, StartError> {
        Stores::open_sealed(path, create, MasterKeys::default())
    }

    /// Owns a directory and opens what is in it; with master keys, what is written is encrypted. Migrates; recovers
    /// nothing. Blocks: call it at start.
    pub fn open_sealed(path: &Path, create: bool, keys: MasterKeys) -> Result<Stores, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let data = if create { DataDir::create_and_lock(path)? } else { DataDir::lock(path)? };
        let meta = Arc::new(SqliteMetaStore::open_sealed(&data.meta_path(), clock.clone(), keys.clone())?);
        let files = Arc::new(FsBlobStore::open(&data.blob_path(), clock.clone())?);
        // Also without keys: it says which key a sealed blob needs.
        let blobs = Arc::new(SealedBlobStore::new(files, keys));
        Ok(Stores { data, meta, blobs, clock })
    }
}

/// A running service.
pub struct Service {
    /// Where it listens: HTTP and RTMP.
    pub listen: Vec<SocketAddr>,
    /// Where it listens: RTMP alone.
    pub rtmp_listen: Vec<SocketAddr>,
    /// Where it listens: metrics and health.
    pub admin_listen: Option<SocketAddr>,
    /// The key that this start made, because there was none.
    pub first_key: Option<Key>,
    /// Keys and the like.
    pub admin: Admin,
    /// The registry of live channels.
    pub registry: Arc<Registry>,
    core: Core,
    ready: Arc<AtomicBool>,
    /// Holds the directory's lock: dropped last.
    _stores: Stores,
}

impl Service {
    /// Starts everything: lock, migrate, recover, then listen.
    pub async fn start(config: &Config) -> Result<Service, StartError> {
        let metrics = metrics_handle();
        let tls = config.tls.as_ref().map(|(cert, key)| tls_config(cert, key)).transpose()?;
        let keys = master_keys(&config.master_key, config.master_key_file.as_deref())?;
        let sealing = keys.sealing().map(|key| key.id().to_string());
        let stores = Stores::open_sealed(&config.data, true, keys)?;
        let (meta, blobs, clock) = (stores.meta.clone(), stores.blobs.clone(), stores.clock.clone());
        let quota = Quota { object_bytes_max: config.max_object_bytes, free_space_floor: config.free_space_floor };
        let core = Core::recover(meta.clone(), blobs, clock.clone(), quota).await?;
        tracing::info!(data = %config.data.display(), master_key = sealing.as_deref().unwrap_or("none"), "store is open");

        let listen = bind(&config.listen).await?;
        let admin = Admin {
            meta: meta.clone(),
            registry: Some(core.registry.clone()),
            endpoint: Some(config.public_endpoint.clone().unwrap_or_else(|| local_endpoint(&listen))),
            clock: clock.clone(),
        };
        let rtmp_listen = bind(&config.rtmp_listen).await?;
        let admin_listen = bind(config.admin_listen.as_slice()).await?;
        let control = control::listen(&stores.data).map_err(StartError::Control)?;
        // Last of all that may fail: the secret of the first key is shown by the start that makes it, or never.
        let first_key = ensure_keys(&admin, config).await?;
        if config.demo {
            ensure_demo(&admin).await?;
        }

        let ready = Arc::new(AtomicBool::new(false));
        let is_ready = ready.clone();
        let crowd = Crowd::new(config.crowd.clone(), clock.clone());
        let sockets_max = sockets_max(config.max_connections);
        let doors = Doors {
            http: Arc::new(HttpDoor(HttpService::new(HttpDeps {
                meta: meta.clone(),
                objects: core.objects.clone(),
                registry: core.registry.clone(),
                clock: clock.clone(),
                guard: Guard::new(config.outbound_allow.clone(), system_roots(), clock.clone()),
                hosts: config.hosts.clone(),
                public_endpoint: config.public_endpoint.clone(),
                region: config.region.clone(),
                policies: PolicyCache::new(limits::POLICIES_KEPT),
                crowd: crowd.clone(),
                signing_keys: SigningKeys::default(),
            }))),
            rtmp: Arc::new(RtmpDoor(RtmpService::new(core.rtmp(config.hosts.clone(), crowd.clone())))),
            admin: Arc::new(HealthDoor(HealthService::new(
                metrics.clone(),
                Arc::new(move || is_ready.load(Ordering::Acquire)),
                clock.clone(),
            ))),
            tls,
            permits: Arc::new(Semaphore::new(sockets_max)),
            admin_permits: Arc::new(Semaphore::new(limits::ADMIN_SOCKETS_MAX)),
            crowd: crowd.clone(),
            clock: clock.clone(),
            tasks: core.sockets.clone(),
            stop_accepting: core.stop_accepting.clone(),
            stop_sockets: core.stop_sockets.clone(),
        };
        let service = Service {
            listen: local_addrs(&listen),
            rtmp_listen: local_addrs(&rtmp_listen),
            admin_listen: local_addrs(&admin_listen).first().copied(),
            first_key,
            admin: admin.clone(),
            registry: core.registry.clone(),
            core,
            _stores: stores,
            ready,
        };
        let core = &service.core;
        for (listeners, kind) in
            [(listen, DoorKind::Any), (rtmp_listen, DoorKind::Rtmp), (admin_listen, DoorKind::Admin)]
        {
            for listener in listeners {
                core.jobs.spawn("door", doors.clone().accept(listener, kind));
            }
        }
        let stop_accepting = core.stop_accepting.clone();
        core.jobs
            .spawn("control-door", control::serve(control, admin, clock.clone(), core.jobs.clone(), stop_accepting));
        core.run_jobs(JobTimes::with_lifecycle_every(config.lifecycle_interval));
        core.jobs.spawn("crowd", crowd.report(core.stop_jobs.clone()));
        core.jobs.spawn("metrics-upkeep", upkeep(metrics, clock, core.stop_jobs.clone()));
        service.ready.store(true, Ordering::Release);
        Ok(service)
    }

    /// Stops everything, in the order in which nothing acknowledged can be lost. Past the shutdown grace the rest is
    /// left to recovery.
    pub async fn stop(self) {
        self.ready.store(false, Ordering::Release);
        self.core.stop().await;
    }
}

/// The recorder is one a process, because the `metrics` facade is.
fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Only a test harness could have set another one; then /metrics is empty and nothing else suffers.
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("a metrics recorder is installed already");
        }
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// Lets histograms forget, as the exporter asks for.
async fn upkeep(metrics: PrometheusHandle, clock: Arc<dyn Clock>, stop: Stop) {
    loop {
        tokio::select! {
            biased;
            () = stop.pulled() => return,
            () = clock.sleep(Duration::from_secs(5)) => metrics.run_upkeep(),
        }
    }
}

async fn ensure_keys(admin: &Admin, config: &Config) -> Result<Option<Key>, StartError> {
    if let Some(chosen) = config.access_key.clone() {
        admin.create_key(ROOT_ACCOUNT, Some(chosen)).await.map_err(StartError::AccessKey)?;
    }
    if admin.meta.list_access_keys().await?.is_empty() {
        let key = admin.create_key(ROOT_ACCOUNT, None).await.map_err(StartError::AccessKey)?;
        return Ok(Some(key));
    }
    Ok(None)
}

async fn ensure_demo(admin: &Admin) -> Result<(), StartError> {
    let (meta, now) = (&admin.meta, admin.clock.wall());
    let bucket_name = BucketName::new(DEMO.0).expect("a valid name");
    let channel_name = ChannelName::new(DEMO.1).expect("a valid name");
    let keys = meta.list_access_keys().await?;
    let Some(key) = keys.iter().find(|key| key.enabled) else {
        return Err(StartError::AccessKey("--demo needs an enabled access key".into()));
    };
    let bucket = match meta.bucket(&bucket_name).await? {
        Some(bucket) => bucket.id,
        None => meta.create_bucket(&bucket_name, key.account, Acl::PublicRead, now).await?.id,
    };
    let config = ChannelConfig {
        description: "made by --demo".into(),
        frag_duration: 2,
        frag_count: 5,
        ..ChannelConfig::default()
    };
    match meta.put_channel(bucket, &channel_name, config, true, now).await {
        Ok(_) | Err(StoreError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The configured number of sockets, or as many as the descriptors of this process are enough for.
fn sockets_max(configured: usize) -> usize {
    let open_files = descriptors::raise();
    let sockets = descriptors::sockets_within(configured, open_files);
    if sockets < configured {
        tracing::warn!(configured, sockets, open_files, "too few open files are allowed for so many sockets");
    }
    sockets
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for addr in addresses {
        let bound = TcpListener::bind(addr).await;
        listeners.push(bound.map_err(|source| StartError::Listen { addr: *addr, source })?);
    }
    Ok(listeners)
}

/// The URL under which this machine reaches the first of its doors.
fn local_endpoint(listeners: &[TcpListener]) -> String {
    let mut addr = local_addrs(listeners)[0];
    if addr.ip().is_unspecified() {
        addr.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{addr}")
}

fn local_addrs(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().map(|listener| listener.local_addr().expect("a bound socket has an address")).collect()
}

fn tls_config(cert: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, StartError> {
    let fail = |path: &Path, why: String| StartError::Tls(format!("{}: {why}", path.display()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| fail(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(fail(cert, "there is no certificate in it".to_owned()));
    }
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| fail(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|error| fail(cert, error.to_string()))?;
    Ok(Arc::new(config))
}

struct HttpDoor(Arc<HttpService>);
struct RtmpDoor(Arc<RtmpService>);
struct HealthDoor(Arc<HealthService>);

#[async_trait]
impl Handler for HttpDoor {
    async fn handle(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        self.0.clone().serve(stream, stop).await;
    }
}

#[async_trait]
impl Handler for RtmpDoor {
    async fn handle(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        self.0.clone().serve(stream, stop).await;
    }
}

#[async_trait]
impl Handler for HealthDoor {
    async fn handle(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        self.0.clone().serve(stream, stop).await;
    }
}
