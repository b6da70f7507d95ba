//! Calls of a program's own code, each on a thread of its own and waited for no longer than a limit.
//!
//! Nobody can end a thread of somebody else's code. So a call that hangs is left behind, and few may hang at once.

use std::any::Any;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How many calls of one database may hang at once, before no other is begun.
const MAX_HANGING: usize = 3;

/// The calls under way for one database. Clones are about the same calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

/// A call that was begun.
#[derive(Debug)]
struct Call {
    /// What is called, as people read it.
    what: String,
    started: Instant,
    limit: Duration,
    /// Gone when the call has ended.
    alive: Weak<()>,
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It panicked, and said this.
    Panicked(String),
    /// It did not end in time.
    Late(Duration),
    /// It was not begun, because so many others hang.
    Hanging(usize),
    /// It was not begun, because the system gave no thread.
    NoThread(String),
}

impl Calls {
    /// Calls something, and waits for its answer.
    ///
    /// # Errors
    /// Why it gave none.
    pub(super) fn run<T: Send + 'static>(
        &self,
        what: &str,
        limit: Duration,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let alive = self.begin(what, limit)?;
        let (sender, receiver) = mpsc::channel();
        let started = thread::Builder::new().name("router-hook".into()).spawn(move || {
            let _alive = alive;
            // Nobody listens any more once the time is up.
            let _ = sender.send(call());
        });
        let thread = started.map_err(|error| NoAnswer::NoThread(error.to_string()))?;
        match receiver.recv_timeout(limit) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(NoAnswer::Late(limit)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(NoAnswer::Panicked(thread.join().err().map_or_else(String::new, |panic| said(&*panic))))
            }
        }
    }

    fn begin(&self, what: &str, limit: Duration) -> Result<Arc<()>, NoAnswer> {
        let mut calls = self.under_way();
        let hanging = calls.iter().filter(|call| call.started.elapsed() >= call.limit).count();
        if hanging >= MAX_HANGING {
            return Err(NoAnswer::Hanging(hanging));
        }
        let alive = Arc::new(());
        let (what, started) = (what.to_owned(), Instant::now());
        calls.push(Call { what, started, limit, alive: Arc::downgrade(&alive) });
        Ok(alive)
    }

    /// What has been running for longest, and for how long.
    pub(crate) fn longest(&self) -> Option<(String, Duration)> {
        self.under_way().first().map(|call| (call.what.clone(), call.started.elapsed()))
    }

    /// The calls that have not ended, in the order in which they were begun.
    fn under_way(&self) -> MutexGuard<'_, Vec<Call>> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|call| call.alive.strong_count() > 0);
        calls
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(text) if text.is_empty() => f.write_str("panicked"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Late(limit) => write!(f, "did not end within {limit:?}"),
            Self::Hanging(hanging) => {
                write!(f, "was not called, because {hanging} earlier calls have not ended")
            }
            Self::NoThread(cause) => write!(f, "was not called, because no thread could be started: {cause}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(5);

    #[test]
    fn an_answer_and_a_panic_are_told_apart() {
        let calls = Calls::default();
        assert_eq!(calls.run("it", LONG, || 7), Ok(7));
        let panicked = |text: &str| Err::<(), _>(NoAnswer::Panicked(text.to_owned()));
        assert_eq!(calls.run("it", LONG, || panic!("no")), panicked("no"));
        assert_eq!(calls.run("it", LONG, || panic!("{} is too many", 3)), panicked("3 is too many"));
        assert_eq!(calls.run("it", LONG, || std::panic::panic_any(3)), panicked(""));
    }

    #[test]
    fn few_calls_hang_at_once_and_others_follow_when_they_have_ended() {
        let calls = Calls::default();
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        for _ in 0..MAX_HANGING {
            let ended = Arc::clone(&ended);
            let hang = move || ended.lock().unwrap_or_else(PoisonError::into_inner).recv().is_ok();
            assert_eq!(calls.run("it", SHORT, hang), Err(NoAnswer::Late(SHORT)));
        }
        assert_eq!(calls.run("it", LONG, || ()), Err(NoAnswer::Hanging(MAX_HANGING)));
        assert!(calls.longest().is_some_and(|(what, took)| what == "it" && took >= SHORT));

        drop(end);
        let start = Instant::now();
        while calls.longest().is_some() {
            assert!(start.elapsed() < LONG, "the calls go on");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(calls.run("it", LONG, || 1), Ok(1));
    }
}
