//! A problem as it is found, before it is drawn.

use super::code::Code;
use super::node::Mark;
use super::problem::Severity;

/// A problem whose places are still marks, before it is drawn.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) mark: Mark,
    pub(crate) label: String,
    pub(crate) related: Option<(Mark, String)>,
    pub(crate) help: Option<String>,
}

impl Draft {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            mark: Mark::default(),
            label: String::new(),
            related: None,
            help: None,
        }
    }

    /// Where it is, and what is said there.
    pub(crate) fn at(mut self, mark: Mark, label: impl Into<String>) -> Self {
        self.mark = mark;
        self.label = label.into();
        self
    }

    /// Where what it conflicts with is, and what is said there.
    pub(crate) fn also(mut self, mark: Mark, label: impl Into<String>) -> Self {
        self.related = Some((mark, label.into()));
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers the candidate that is spelt most like a word; changes nothing where none is.
    pub(crate) fn did_you_mean<'a>(
        mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if let Some(candidate) = nearest(word, candidates) {
            self.help = Some(format!("did you mean `{candidate}`?"));
        }
        self
    }

    /// The draft in a box, for results.
    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// Says that it is worth knowing, and no error.
    pub(crate) fn note(mut self) -> Self {
        self.severity = Severity::Note;
        self
    }
}

/// The candidate that a person who wrote `word` most likely meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // A third of the letters may be wrong; more would be guessing.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        // The lengths bound the distance, and spare comparing with thousands of aliases.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit * 2)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}
