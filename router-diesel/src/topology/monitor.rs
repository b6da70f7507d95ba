//! The thread that looks after the nodes: it probes each, with a bound on how long the answer may take.
//!
//! A connection of Diesel's cannot be told to give up waiting, so each probe runs on a thread of its own and is
//! given up when its time is over. The monitor itself never waits for a server.

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::health::Event;
use super::health::Pace;
use super::ids::NodeId;
use super::{Node, Standing, lock};
use crate::config::PoolSettings;
use crate::engine::observe::{self, Observation};
use crate::engine::{Opener, RoutedConnection};
use crate::text::one_line;

/// After how long a probe that never ended is forgotten and another one begun.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// How many probes of one node may hang at once, before no other is begun.
const MAX_HANGING: u32 = 3;

/// How much longer than its probes the monitor's own thread may take to end.
const TO_END: Duration = Duration::from_secs(1);

/// Probes the nodes of clusters until it is dropped.
///
/// Then it waits for the probes under way: at the end of a process OpenSSL cleans up, and whoever connects with it at
/// that time crashes. A probe whose time is over is left behind.
pub(crate) struct Monitor<C: RoutedConnection> {
    sender: Sender<Message<C>>,
    /// Nothing where it could not be started.
    driver: Option<JoinHandle<()>>,
    /// How long the driver may take to end: the longest time of a probe that was ever watched.
    patience: Mutex<Duration>,
}

impl<C: RoutedConnection> Monitor<C> {
    /// Starts the thread. It ends when the monitor is dropped.
    pub(crate) fn start(clusters: &[Arc<Cluster<C>>]) -> Self {
        let (sender, receiver) = mpsc::channel();
        let driver = Driver { slots: Vec::new(), clusters: Vec::new(), sender: sender.clone(), next: 0 };
        let driver = thread::Builder::new()
            .name("router-monitor".into())
            .spawn(move || driver.run(&receiver))
            .inspect_err(|error| {
                tracing::error!(cause = %error, "could not start the thread that probes the nodes of clusters");
            });
        let monitor = Self { sender, driver: driver.ok(), patience: Mutex::new(TO_END) };
        monitor.watch(clusters);
        monitor
    }

    /// Watches these clusters from now on, and no others. It goes on with those that it watched before.
    pub(crate) fn watch(&self, clusters: &[Arc<Cluster<C>>]) {
        let longest = clusters.iter().map(|cluster| cluster.pace().timeout).max().unwrap_or_default();
        let mut patience = lock(&self.patience);
        *patience = patience.max(longest + TO_END);
        drop(patience);
        // The thread may be gone already, where it could not be started.
        let _ = self.sender.send(Message::Watch(clusters.to_vec()));
    }
}

impl<C: RoutedConnection> fmt::Debug for Monitor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("is_running", &self.driver.is_some()).finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Drop for Monitor<C> {
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
        if ended.recv_timeout(*lock(&self.patience)) == Err(RecvTimeoutError::Disconnected) {
            let _ = driver.join();
        }
    }
}

/// Asks the monitor to probe a node of one cluster sooner than it would.
pub(super) struct Waker(Box<dyn Fn(NodeId, Instant) + Send + Sync>);

impl Waker {
    fn new<C: RoutedConnection>(sender: &Sender<Message<C>>, cluster: &Arc<Cluster<C>>) -> Self {
        let (sender, cluster) = (sender.clone(), Arc::downgrade(cluster));
        Self(Box::new(move |node, at| {
            if let Some(cluster) = cluster.upgrade() {
                let _ = sender.send(Message::Probe { cluster, node, at });
            }
        }))
    }

    pub(super) fn probe_in(&self, node: NodeId, soon: Duration) {
        (self.0)(node, Instant::now() + soon);
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

enum Message<C: RoutedConnection> {
    /// Watch these clusters, and no others.
    Watch(Vec<Arc<Cluster<C>>>),
    Probed {
        slot: u64,
        asked: Instant,
        outcome: Result<Observation, String>,
    },
    Probe {
        cluster: Arc<Cluster<C>>,
        node: NodeId,
        at: Instant,
    },
    /// The sender is dropped when the driver has ended.
    Stop(Sender<()>),
}

/// One node that is looked after.
struct Slot<C: RoutedConnection> {
    /// Tells it from all other slots of this monitor.
    number: u64,
    cluster: Arc<Cluster<C>>,
    node: NodeId,
    target: Arc<Target<C>>,
    pace: Pace,
    due: Instant,
    probe: Option<Probe>,
    hanging: u32,
}

impl<C: RoutedConnection> Slot<C> {
    fn new(number: u64, cluster: &Arc<Cluster<C>>, node: NodeId) -> Self {
        let pace = cluster.pace();
        Self {
            number,
            target: Arc::new(Target::new(cluster.node(node), pace)),
            cluster: Arc::clone(cluster),
            node,
            pace,
            due: Instant::now(),
            probe: None,
            hanging: 0,
        }
    }

    fn is_for(&self, cluster: &Arc<Cluster<C>>, node: NodeId) -> bool {
        self.node == node && Arc::ptr_eq(&self.cluster, cluster)
    }

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

struct Driver<C: RoutedConnection> {
    slots: Vec<Slot<C>>,
    clusters: Vec<Arc<Cluster<C>>>,
    sender: Sender<Message<C>>,
    /// The number of the next slot.
    next: u64,
}

impl<C: RoutedConnection> Driver<C> {
    fn run(mut self, receiver: &Receiver<Message<C>>) {
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
                Ok(Message::Probe { cluster, node, at }) => {
                    let slot = self.slots.iter_mut().find(|slot| slot.is_for(&cluster, node));
                    slot.into_iter().for_each(|slot| slot.due = slot.due.min(at));
                }
                Ok(Message::Watch(clusters)) => self.watch(clusters),
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

    /// Takes up the clusters that are new, and leaves those that are not named.
    fn watch(&mut self, clusters: Vec<Arc<Cluster<C>>>) {
        self.slots.retain(|slot| clusters.iter().any(|cluster| Arc::ptr_eq(cluster, &slot.cluster)));
        for cluster in &clusters {
            if self.clusters.iter().any(|known| Arc::ptr_eq(known, cluster)) {
                continue;
            }
            cluster.set_waker(Waker::new(&self.sender, cluster));
            for (node, _) in cluster.nodes() {
                self.slots.push(Slot::new(self.next, cluster, node));
                self.next += 1;
            }
        }
        self.clusters = clusters;
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot<C>> {
        self.slots.iter_mut().find(|slot| slot.number == number)
    }

    /// Waits for the probes under way, for each until its time is over, and closes the connections.
    fn end(mut self, receiver: &Receiver<Message<C>>) {
        loop {
            let now = Instant::now();
            let left =
                |slot: &Slot<C>| (slot.probe.as_ref()?.asked + slot.pace.timeout).checked_duration_since(now);
            let Some(longest) = self.slots.iter().filter_map(left).max() else { return };
            if let Ok(Message::Probed { slot, asked, .. }) = receiver.recv_timeout(longest) {
                self.slot(slot).map(|slot| slot.ended(asked));
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
        let (target, sender, number) = (Arc::clone(&slot.target), self.sender.clone(), slot.number);
        let asked = Instant::now();
        let started = thread::Builder::new().name("router-probe".into()).spawn(move || {
            let outcome = target.probe();
            // Whoever is told waits for this thread, which must have nothing left to do.
            drop(target);
            // Nobody listens once the databases are gone.
            let _ = sender.send(Message::Probed { slot: number, asked, outcome });
        });
        match started {
            Ok(thread) => slot.probe = Some(Probe { thread, asked, is_late: false }),
            Err(error) => slot.cluster.tell(slot.node, Event::ProbeFailed(error.to_string())),
        }
        asked + slot.pace.timeout
    }

    fn probed(&mut self, number: u64, asked: Instant, outcome: Result<Observation, String>) {
        // A node that nobody watches any more may still answer.
        let Some(slot) = self.slot(number) else { return };
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
    opener: Opener,
    settings: PoolSettings,
    conn: Mutex<Option<C>>,
}

impl<C: RoutedConnection> Target<C> {
    /// No setting is made on a server: a pooler would hand its connection on with it, to a user who wants to write.
    fn new(node: &Node<C>, pace: Pace) -> Self {
        let node = node.settings();
        let settings =
            PoolSettings { connection_timeout: pace.timeout, statement_timeout: None, ..node.pool.clone() };
        Self { opener: node.opener.without_on_connect(), settings, conn: Mutex::new(None) }
    }

    /// The same, with a connection of its own.
    fn anew(&self) -> Self {
        Self { opener: self.opener.clone(), settings: self.settings.clone(), conn: Mutex::new(None) }
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
        let access = self.opener.url().engine().spec().probe_access();
        let opened = self.opener.open(&self.settings.connect(access));
        let mut conn: C = opened.map_err(|failed| failed.error.to_string())?.conn;
        let observation = observe::replayed(&mut conn).map_err(|error| error.to_string())?;
        *held = Some(conn);
        Ok(observation)
    }
}
