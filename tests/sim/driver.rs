//! Runs one seed: the lives of a process over one disk, each ended by a crash or a stop.
//!
//! Everything runs on one thread. Time stands still while anything can run; when nothing can, what must always hold is
//! checked, and time moves to the next deadline. A crash drops the runtime with every task in it.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use futures_util::FutureExt;
use livebucket::app::core::{Core, JobTimes};
use livebucket::clock::Clock;
use livebucket::live::registry::{LiveDeps, Registry};
use livebucket::net::crowd::{Crowd, CrowdRules};
use livebucket::net::host::HostRules;
use livebucket::rtmp::server::RtmpDeps;
use livebucket::store::compaction::CompactionBounds;
use livebucket::store::lifecycle::{Due, Lifecycle, LifecycleFilter, LifecycleRule, LifecycleTimes};
use livebucket::store::objects::{ObjectService, Quota};
use livebucket::store::recovery::CollectorTimes;
use livebucket::store::*;
use livebucket::task::{Stop, TaskSet};
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::check;
use crate::client::{Client, Memory};
use crate::operators::{CHANNELS, Service, settings, skew, weather};
use crate::publisher::{Door, Encoder, OnAir};
use crate::stores::{HostileBlobs, HostileMeta};
use crate::world::{BEGIN, Tally, Weather, World};
use crate::{ACCOUNT, BUCKETS, KEY};

/// Moments at which nothing can run, of one life: beyond this the service runs in circles.
const STEPS_MAX: u64 = 400_000;

/// How a seed ended.
pub struct Outcome {
    pub seed: u64,
    pub failure: Option<String>,
    pub trace: String,
    /// Of every line of the trace.
    pub digest: u64,
    pub tally: Tally,
}

/// Runs a seed to its end.
pub fn run(seed: u64, keep_all: bool) -> Outcome {
    let world = World::new(seed, keep_all);
    let _watch = watch_panics(&world);
    let run = std::panic::catch_unwind(AssertUnwindSafe(|| lives(&world)));
    if run.is_err() {
        world.failed("a panic without words".into());
    }
    let (failure, trace) = (world.failure(), world.trace());
    Outcome { seed, failure, trace, digest: world.digest(), tally: world.tally() }
}

// ---- panics: every one is a failure, also those that the service's tasks survive ------------------------------

thread_local! {
    static WATCHED: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
}

struct Watch;

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.set(None);
    }
}

fn watch_panics(world: &Arc<World>) -> Watch {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let world = WATCHED.with(|watched| watched.try_borrow().ok().and_then(|world| world.clone()));
            match world {
                Some(world) => world.failed(panic.to_string()),
                None => default(panic),
            }
        }));
    });
    WATCHED.set(Some(world.clone()));
    Watch
}

// ---- lives ----------------------------------------------------------------------------------------------------

/// How a life is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// At a moment at which nothing can run.
    Kill,
    /// In order.
    Stop,
    /// In order, after every grace has passed, in calm weather.
    Rest,
}

/// What is decided of one life before it begins.
struct Plan {
    chance: Chance,
    climate: Vec<Weather>,
    active: Duration,
    /// How long the process lives on when everybody has gone home; `None`: it ends while they are at it.
    quiet: Option<Duration>,
    death: Death,
}

impl Plan {
    fn draw(chance: &mut Chance, last: bool) -> Plan {
        let climates: [&[Weather]; 5] = [
            &[Weather::CALM],
            &[Weather::CALM, Weather::SLOW, Weather::DRIZZLE],
            &[Weather::DRIZZLE, Weather::RAIN],
            &[Weather::CALM, Weather::FROST, Weather::DRIZZLE],
            &[Weather::CALM, Weather::STORM, Weather::RAIN, Weather::SLOW],
        ];
        let quiet = match chance.below(5) {
            0 => Some(Duration::from_secs(60 * chance.below(300) as u64)),
            1 => Some(Duration::from_secs(chance.below(60) as u64)),
            _ if last => Some(Duration::ZERO),
            _ => None,
        };
        Plan {
            climate: chance.pick(&climates).to_vec(),
            active: Duration::from_secs(2 + chance.below(60) as u64),
            quiet,
            death: match chance.percent(70) {
                _ if last => Death::Rest,
                true => Death::Kill,
                false => Death::Stop,
            },
            chance: chance.fork(),
        }
    }
}

fn lives(world: &Arc<World>) {
    let mut chance = world.fork();
    let estate = found(world, &mut chance);
    let lives = 2 + chance.below(3);
    let mut left = lives;
    // A crash that nobody planned costs a life, but not the last one: that one ends at rest.
    for number in 0..40 {
        left = left.saturating_sub(1);
        let plan = Plan::draw(&mut chance, left == 0);
        world.say(format_args!("life {number} begins: {:?} after {:?} and {:?}", plan.death, plan.active, plan.quiet));
        let rested = live(world, &estate, plan) == Some(Death::Rest);
        if world.failure().is_some() || rested {
            return;
        }
        world.count("lives");
        world.clock.advance(Duration::from_secs(chance.below(600) as u64));
    }
    world.failed("forty lives and no rest".into());
}

/// What is there before the first life.
struct Estate {
    buckets: Vec<Arc<BucketRecord>>,
    memories: Vec<Arc<Memory>>,
}

fn found(world: &World, chance: &mut Chance) -> Estate {
    let disk = &world.meta;
    let work = async {
        let key = disk.put_access_key(ACCOUNT, KEY.0, KEY.1, BEGIN).await.expect("a fresh store");
        let mut buckets = Vec::new();
        for (index, name) in BUCKETS.iter().enumerate() {
            let name = BucketName::new(name).expect("valid");
            let made = disk.create_bucket(&name, key.account, Acl::Private, BEGIN).await.expect("a fresh store");
            if index == 1 {
                disk.set_bucket_versioning(made.id, Versioning::Enabled).await.expect("it is there");
                let lock = BucketSetting::ObjectLock(ObjectLock::default());
                disk.set_bucket_setting(made.id, lock).await.expect("it keeps versions");
            } else {
                disk.set_bucket_lifecycle(made.id, rules()).await.expect("it is there");
            }
            for channel in CHANNELS {
                let name = ChannelName::new(channel).expect("valid");
                disk.put_channel(made.id, &name, settings(chance), true, BEGIN).await.expect("a fresh store");
            }
            buckets.push(disk.bucket(&name).await.expect("a fresh store").expect("just made"));
        }
        buckets
    };
    let buckets = work.now_or_never().expect("the disk never waits");
    let memories = (0..3).map(|number| Memory::new(number, buckets[number % 2].id, number % 2 == 1)).collect();
    Estate { buckets, memories }
}

/// From midnight on nothing is kept under `brief/`.
fn rules() -> Lifecycle {
    let rule = LifecycleRule {
        id: "brief".into(),
        enabled: true,
        filter: LifecycleFilter { prefix: "brief/".into(), ..LifecycleFilter::default() },
        expiration: Some(Due::Date(BEGIN.midnight_from())),
        ..LifecycleRule::default()
    };
    Lifecycle { rules: vec![rule] }
}

/// The usual times, with rounds so far apart that a quiet day has few of them; graces are the real ones.
fn times() -> JobTimes {
    JobTimes {
        collector: CollectorTimes {
            interval: Duration::from_secs(600),
            sweep_interval: Duration::from_secs(3_600),
            ..CollectorTimes::default()
        },
        compaction: CompactionBounds { interval: Duration::from_secs(40), ..CompactionBounds::default() },
        lifecycle: LifecycleTimes::every(Duration::from_secs(1_200)),
    }
}

/// One life. `None`: it ended before its plan.
fn live(world: &Arc<World>, estate: &Estate, plan: Plan) -> Option<Death> {
    world.revive();
    let idle = Arc::new(Notify::new());
    let parked = idle.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(move || parked.notify_one())
        .build()
        .expect("a runtime without drivers");
    let death = runtime.block_on(drive(world, estate, plan, &idle));
    world.die();
    drop(runtime);
    death
}

/// What the process has become so far.
#[derive(Default)]
struct Process {
    core: Mutex<Option<Arc<Core>>>,
    stopped: AtomicBool,
}

async fn drive(world: &Arc<World>, estate: &Estate, mut plan: Plan, idle: &Notify) -> Option<Death> {
    let (tasks, process) = (TaskSet::new(), Arc::new(Process::default()));
    tasks.spawn("start", start(world.clone(), process.clone(), plan.climate.clone()));
    let mut quiet_at = None;
    let mut stopping = false;
    for _ in 0..STEPS_MAX {
        idle.notified().await;
        if world.failure().is_some() || world.is_dead() {
            return None;
        }
        if world.take_dirty() {
            check::step(world);
        }
        let core = process.core.lock().expect("short").clone();
        let now = world.now();
        let mut until = None;
        match (core, quiet_at) {
            (None, _) => {}
            (Some(core), None) => {
                act(world, estate, &mut plan, &core, &tasks);
                quiet_at = Some(now + plan.active);
                continue;
            }
            (Some(core), Some(at)) => {
                let end = at
                    + plan.quiet.unwrap_or_default()
                    + if plan.death == Death::Rest { rest(world) } else { Duration::ZERO };
                if now >= at && plan.quiet.is_some() && !world.is_quiet() {
                    world.set_quiet();
                    continue;
                }
                if process.stopped.load(Ordering::Acquire) {
                    return Some(finish(world, estate, plan.death));
                }
                if now >= end && plan.death == Death::Kill {
                    world.say(format_args!("KILLED"));
                    world.count("kills");
                    return Some(Death::Kill);
                }
                if now >= end && !stopping {
                    stopping = true;
                    tasks.spawn("stop", stop(world.clone(), core, process.clone()));
                    continue;
                }
                if plan.death == Death::Rest && now >= at {
                    world.set_weather(Weather::CALM);
                }
                until = if now < at { Some(at) } else { Some(end).filter(|end| *end > now) };
            }
        }
        let next = world.clock.next_deadline().map(|deadline| deadline.0);
        let Some(next) = next.into_iter().chain(until).min() else {
            world.failed("nothing can happen any more".into());
            return None;
        };
        world.clock.advance(next - now);
    }
    world.failed("the service does not come to rest".into());
    None
}

/// Until every grace has passed: readers, garbage, sweeps, and as much again as the wall clock was set back.
fn rest(world: &World) -> Duration {
    let graces = CollectorTimes::default();
    graces.garbage_grace * 2 + graces.sweep_grace + times().collector.interval * 3 + world.behind()
}

/// Starts as `app` does, again and again while the disk does not let it.
async fn start(world: Arc<World>, process: Arc<Process>, climate: Vec<Weather>) {
    world.set_weather(climate[0]);
    let meta: Arc<dyn MetaStore> = Arc::new(HostileMeta::new(world.clone()));
    let blobs: Arc<dyn BlobStore> = Arc::new(HostileBlobs::new(world.clone()));
    for attempt in 0.. {
        match Core::recover(meta.clone(), blobs.clone(), world.time(), Quota::default()).await {
            Ok(core) => {
                world.say(format_args!("recovered"));
                *process.core.lock().expect("short") = Some(Arc::new(core));
                return;
            }
            Err(error) => {
                world.say(format_args!("no start: {error}"));
                world.count("starts that failed");
                if attempt == 4 {
                    world.set_weather(Weather::CALM);
                }
                world.sleep_ms(1_000).await;
            }
        }
    }
}

async fn stop(world: Arc<World>, core: Arc<Core>, process: Arc<Process>) {
    let in_time = core.stop().await;
    world.say(format_args!("stopped, in time: {in_time}"));
    world.count(if in_time { "stops" } else { "stops that took too long" });
    process.stopped.store(true, Ordering::Release);
}

/// Recovery is over: checks it, opens the doors, and lets everybody in.
fn act(world: &Arc<World>, estate: &Estate, plan: &mut Plan, core: &Arc<Core>, tasks: &TaskSet) {
    check::recovered(world, &estate.buckets);
    check::play(world, &estate.buckets);
    estate.memories.iter().for_each(|memory| memory.settle(world));
    core.run_jobs(times());

    let doors = vec![door(core), rival(world, core)];
    let on_air = OnAir::default();
    let targets: Vec<(&str, &str)> = {
        let all: Vec<_> = BUCKETS.iter().flat_map(|bucket| CHANNELS.map(|channel| (*bucket, channel))).collect();
        (0..1 + plan.chance.below(3)).map(|_| *plan.chance.pick(&all)).collect()
    };
    for _ in 0..1 + plan.chance.below(3) {
        let (world, chance) = (world.clone(), plan.chance.fork());
        let encoder = Encoder { world, chance, doors: doors.clone(), targets: targets.clone(), on_air: on_air.clone() };
        tasks.spawn("encoder", encoder.run());
    }
    let service = Service {
        world: world.clone(),
        meta: core.meta.clone(),
        objects: core.objects.clone(),
        registry: core.registry.clone(),
        buckets: estate.buckets.clone(),
    };
    for memory in &estate.memories {
        let client = Client {
            world: world.clone(),
            meta: core.meta.clone(),
            objects: core.objects.clone(),
            memory: memory.clone(),
            chance: plan.chance.fork(),
        };
        tasks.spawn("client", client.run());
    }
    tasks.spawn("manager", service.clone().manage(plan.chance.fork()));
    tasks.spawn("viewer", service.clone().watch(plan.chance.fork()));
    tasks.spawn("measure", service.clone().measure(on_air));
    tasks.spawn("brief", service.clone().write_briefly(plan.chance.fork()));
    if plan.chance.percent(40) {
        tasks.spawn("vandal", service.vandalise(plan.chance.fork()));
    }
    if plan.chance.percent(30) {
        tasks.spawn("skew", skew(world.clone(), plan.chance.fork()));
    }
    tasks.spawn("weather", weather(world.clone(), plan.chance.fork(), plan.climate.clone()));
}

/// All publishers come from one address: nobody counts them.
fn any_crowd(clock: Arc<dyn Clock>) -> Arc<Crowd> {
    Crowd::new(CrowdRules::default(), clock)
}

fn door(core: &Arc<Core>) -> Door {
    let deps = Arc::new(core.rtmp(HostRules::default(), any_crowd(core.clock.clone())));
    let (closed, stop) = (core.stop_accepting.clone(), core.stop_sockets.clone());
    Door { deps, tasks: core.sockets.clone(), closed, stop }
}

/// Another process over the same disk, which does not know that the first one lives. It only publishes.
fn rival(world: &Arc<World>, core: &Core) -> Door {
    let meta = core.meta.clone();
    let objects = ObjectService::new(meta.clone(), core.blobs.clone(), world.time());
    let registry = Arc::new(Registry::new(LiveDeps { meta: meta.clone(), objects, clock: world.time() }));
    let crowd = any_crowd(world.time());
    let deps = RtmpDeps { meta, registry, clock: world.time(), hosts: HostRules::default(), crowd };
    Door { deps: Arc::new(deps), tasks: TaskSet::new(), closed: Stop::new(), stop: Stop::new() }
}

/// The process has stopped in order.
fn finish(world: &World, estate: &Estate, death: Death) -> Death {
    check::step(world);
    if death == Death::Rest {
        check::at_rest(world);
        check::play(world, &estate.buckets);
        estate.memories.iter().for_each(|memory| memory.settle(world));
    }
    death
}
