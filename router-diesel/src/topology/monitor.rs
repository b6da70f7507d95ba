//! The thread that looks after the nodes: it probes each, with a bound on how long the answer may take.
//!
//! A connection of Diesel's cannot be told to give up waiting, so each probe runs on a thread of its own and is
//! given up when its time is over. The monitor itself never waits for a server.

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Standing;
use super::cluster::{Cluster, Clusters, lock};
use super::health::Event;
use super::health::Pace;
use crate::config::{Config, DatabaseUrl, PoolSettings};
use crate::engine::RoutedConnection;
use crate::engine::observe::{self, Observation};
use crate::text::one_line;

/// After how long a probe that never ended is forgotten and another one begun.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// How many probes of one node may hang at once, before no other is begun.
const MAX_HANGING: u32 = 3;

/// How much longer than its probes the monitor's own thread may take to end.
const TO_END: Duration = Duration::from_secs(1);

/// Probes the nodes of all clusters until it is dropped.
///
/// Then it waits for the probes under way: at the end of a process OpenSSL cleans up, and whoever connects with it at
/// that time crashes. A probe whose time is over is left behind.
#[derive(Debug)]
pub(crate) struct Monitor {
    sender: Sender<Message>,
    /// Nothing where it could not be started.
    driver: Option<JoinHandle<()>>,
    /// How long the driver may take to end.
    patience: Duration,
}

impl Monitor {
    /// Starts the thread. It ends when the monitor is dropped.
    pub(crate) fn start<C: RoutedConnection>(clusters: &Clusters, config: &Config) -> Self {
        let (sender, receiver) = mpsc::channel();
        let mut slots = Vec::new();
        for cluster in clusters.iter() {
            cluster.set_waker(Waker { sender: sender.clone(), first_slot: slots.len() });
            let pace = cluster.pace();
            for node in 0..cluster.len() {
                let database = &config.databases[cluster.database(node)];
                slots.push(Slot::<C> {
                    cluster: Arc::clone(cluster),
                    node,
                    target: Arc::new(Target::new(&database.url, &database.pool, pace)),
                    pace,
                    due: Instant::now(),
                    probe: None,
                    hanging: 0,
                });
            }
        }
        let longest = slots.iter().map(|slot| slot.pace.timeout).max().unwrap_or_default();
        let driver = Driver { slots, clusters: clusters.iter().cloned().collect(), sender: sender.clone() };
        let driver = thread::Builder::new()
            .name("router-monitor".into())
            .spawn(move || driver.run(&receiver))
            .inspect_err(|error| {
                tracing::error!(cause = %error, "could not start the thread that probes the nodes of clusters");
            });
        Self { sender, driver: driver.ok(), patience: longest + TO_END }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let Some(driver) = self.driver.take() else { return };
        let (ending, ended) = mpsc::channel();
        // The thread may be gone already.
        let _ = self.sender.send(Message::Stop(ending));
        // A subscriber to traces may hold the last of the databases, and is called on that thread, too.
        if driver.thread().id() == thread::current().id() {
            return;
        }
        // Such a subscriber may also wait for whoever drops them: so there is a limit.
        if ended.recv_timeout(self.patience) == Err(RecvTimeoutError::Disconnected) {
            let _ = driver.join();
        }
    }
}

/// Asks the monitor to probe a node of one cluster sooner than it would.
pub(super) struct Waker {
    sender: Sender<Message>,
    first_slot: usize,
}

impl Waker {
    pub(super) fn probe_in(&self, node: usize, soon: Duration) {
        let _ = self.sender.send(Message::Probe { slot: self.first_slot + node, at: Instant::now() + soon });
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

enum Message {
    Probed {
        slot: usize,
        asked: Instant,
        outcome: Result<Observation, String>,
    },
    Probe {
        slot: usize,
        at: Instant,
    },
    /// The sender is dropped when the driver has ended.
    Stop(Sender<()>),
}

/// One node that is looked after.
struct Slot<C> {
    cluster: Arc<Cluster>,
    node: usize,
    target: Arc<Target<C>>,
    pace: Pace,
    due: Instant,
    probe: Option<Probe>,
    hanging: u32,
}

impl<C> Slot<C> {
    /// Takes in that the probe of that time has ended, waits for its thread, and says whether it is late. Nothing where
    /// it was forgotten.
    fn ended(&mut self, asked: Instant) -> Option<bool> {
        let Probe { thread, is_late, .. } = self.probe.take_if(|probe| probe.asked == asked)?;
        let _ = thread.join();
        Some(is_late)
    }
}

/// A probe under way.
struct Probe {
    thread: JoinHandle<()>,
    asked: Instant,
    /// Whether its time is over, and the node was told of as not answering.
    is_late: bool,
}

struct Driver<C> {
    slots: Vec<Slot<C>>,
    clusters: Vec<Arc<Cluster>>,
    sender: Sender<Message>,
}

impl<C: RoutedConnection> Driver<C> {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let now = Instant::now();
            let mut wake = now + Duration::from_secs(60);
            for index in 0..self.slots.len() {
                wake = wake.min(self.look_after(index, now));
            }
            for cluster in &self.clusters {
                wake = wake.min(cluster.settle().unwrap_or(wake));
            }
            let wait = wake.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match receiver.recv_timeout(wait) {
                Ok(Message::Probed { slot, asked, outcome }) => self.probed(slot, asked, outcome),
                Ok(Message::Probe { slot, at }) => self.slots[slot].due = self.slots[slot].due.min(at),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop(ending)) => {
                    self.end(receiver);
                    drop(ending);
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits for the probes under way, for each until its time is over, and closes the connections.
    fn end(mut self, receiver: &Receiver<Message>) {
        loop {
            let now = Instant::now();
            let left =
                |slot: &Slot<C>| (slot.probe.as_ref()?.asked + slot.pace.timeout).checked_duration_since(now);
            let Some(longest) = self.slots.iter().filter_map(left).max() else { return };
            if let Ok(Message::Probed { slot, asked, .. }) = receiver.recv_timeout(longest) {
                self.slots[slot].ended(asked);
            }
        }
    }

    /// Starts what is due for a node, and says when to look again.
    fn look_after(&mut self, index: usize, now: Instant) -> Instant {
        let slot = &mut self.slots[index];
        if let Some(probe) = &mut slot.probe {
            let timeout = slot.pace.timeout;
            if !probe.is_late && now >= probe.asked + timeout {
                probe.is_late = true;
                slot.cluster
                    .tell(slot.node, Event::ProbeFailed(format!("it gave no answer for {timeout:?}")));
            }
            if !probe.is_late {
                return probe.asked + timeout;
            }
            // The first that hangs is followed by another at once: it may be that connection alone.
            let forgotten = probe.asked + if slot.hanging == 0 { timeout } else { FORGET_AFTER };
            if slot.hanging >= MAX_HANGING {
                return now + FORGET_AFTER;
            }
            if now < forgotten {
                return forgotten;
            }
            slot.hanging += 1;
            slot.probe = None;
            slot.target = Arc::new(slot.target.anew());
        }
        if *slot.cluster.view().standing(slot.node) == Standing::Offline {
            return now + slot.pace.interval;
        }
        if now < slot.due {
            return slot.due;
        }
        // A little sooner each time, and never the same, so that many processes do not ask at once for ever.
        slot.due = now + slot.pace.interval.mul_f64(1.0 - fastrand::f64() / 10.0);
        let (target, sender) = (Arc::clone(&slot.target), self.sender.clone());
        let asked = Instant::now();
        let started = thread::Builder::new().name("router-probe".into()).spawn(move || {
            let outcome = target.probe();
            // Whoever is told waits for this thread, which must have nothing left to do.
            drop(target);
            // Nobody listens once the databases are gone.
            let _ = sender.send(Message::Probed { slot: index, asked, outcome });
        });
        match started {
            Ok(thread) => slot.probe = Some(Probe { thread, asked, is_late: false }),
            Err(error) => slot.cluster.tell(slot.node, Event::ProbeFailed(error.to_string())),
        }
        asked + slot.pace.timeout
    }

    fn probed(&mut self, index: usize, asked: Instant, outcome: Result<Observation, String>) {
        let slot = &mut self.slots[index];
        let Some(is_late) = slot.ended(asked) else {
            // One that was forgotten has ended after all.
            slot.hanging = slot.hanging.saturating_sub(1);
            return;
        };
        if is_late {
            // Too late to count. The next one says whether the node is well again.
            slot.due = Instant::now();
            return;
        }
        match outcome {
            Ok(observation) => slot.cluster.probed(slot.node, asked, &observation),
            Err(cause) => slot.cluster.tell(slot.node, Event::ProbeFailed(one_line(&cause))),
        }
    }
}

/// Where a probe goes, and the connection that it keeps.
struct Target<C> {
    url: DatabaseUrl,
    settings: PoolSettings,
    conn: Mutex<Option<C>>,
}

impl<C: RoutedConnection> Target<C> {
    /// No setting is made on a server: a pooler would hand its connection on with it, to a user who wants to write.
    fn new(url: &DatabaseUrl, pool: &PoolSettings, pace: Pace) -> Self {
        let settings =
            PoolSettings { connection_timeout: pace.timeout, statement_timeout: None, ..pool.clone() };
        Self { url: url.clone(), settings, conn: Mutex::new(None) }
    }

    /// The same, with a connection of its own.
    fn anew(&self) -> Self {
        Self { url: self.url.clone(), settings: self.settings.clone(), conn: Mutex::new(None) }
    }

    fn probe(&self) -> Result<Observation, String> {
        let mut held = lock(&self.conn);
        // The server may have been started again since the last probe, which says nothing against it now.
        if let Some(conn) = held.as_mut()
            && let Ok(observation) = observe::replayed(conn)
        {
            return Ok(observation);
        }
        *held = None;
        let access = self.url.engine().spec().probe_access();
        let mut conn = C::open(&self.url, &self.settings.connect(access)).map_err(|it| it.to_string())?.conn;
        let observation = observe::replayed(&mut conn).map_err(|error| error.to_string())?;
        *held = Some(conn);
        Ok(observation)
    }
}
