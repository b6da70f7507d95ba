//! What is known of one node.

use std::sync::Arc;
use std::time::Duration;

use super::NodeSettings;

/// What is known of one node.
#[derive(Debug)]
pub(super) struct Node<P> {
    pub(super) settings: NodeSettings,
    pub(super) drained: bool,
    /// Whether it ever answered anything.
    pub(super) seen: bool,
    pub(super) trouble: Option<Trouble>,
    /// Whether it says that it is what the file does not say it is.
    pub(super) other_role: bool,
    /// Whether it was of another cluster than the primary when both last said where they are.
    pub(super) other_cluster: bool,
    /// The newest answer's time, and its position.
    pub(super) asked_at: Option<Duration>,
    pub(super) position: Option<P>,
    /// Since when it can lack anything of the primary's.
    pub(super) fresh_as_of: Option<Duration>,
}

/// A failure that no answer has made good yet.
#[derive(Debug)]
pub(super) struct Trouble {
    /// When it failed first; when it was banned, from then on.
    pub(super) since: Duration,
    pub(super) reason: Arc<str>,
    pub(super) grade: Grade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Suspect,
    Failed,
}

impl<P> Node<P> {
    /// A node of which nothing is known.
    pub(super) fn new(settings: NodeSettings) -> Self {
        Self {
            settings,
            drained: false,
            seen: false,
            trouble: None,
            other_role: false,
            other_cluster: false,
            asked_at: None,
            position: None,
            fresh_as_of: None,
        }
    }

    /// The failure that keeps it from serving, if one does.
    pub(super) fn failure(&self) -> Option<&Trouble> {
        self.trouble.as_ref().filter(|trouble| trouble.grade == Grade::Failed)
    }

    /// A failure: the first keeps its reason, a second one is a ban.
    pub(super) fn fail(&mut self, now: Duration, grade: Grade, reason: String) {
        match &mut self.trouble {
            None => self.trouble = Some(Trouble { since: now, reason: reason.into(), grade }),
            Some(trouble) if trouble.grade == Grade::Suspect => {
                trouble.grade = Grade::Failed;
                trouble.since = now;
            }
            Some(_) => {}
        }
    }

    /// An answer: makes good what happened before it was asked for. Says when to ask again, where a ban must run out
    /// first.
    pub(super) fn answered(&mut self, now: Duration, ban: Duration, sent_at: Duration) -> Option<Duration> {
        self.seen = true;
        let trouble = self.trouble.as_ref()?;
        if sent_at < trouble.since {
            return None;
        }
        let left = (trouble.since + ban).saturating_sub(now);
        if trouble.grade == Grade::Failed && !left.is_zero() {
            return Some(left);
        }
        self.trouble = None;
        None
    }
}
