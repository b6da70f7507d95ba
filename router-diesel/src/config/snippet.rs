//! Draws problems with the lines of the file that they are about.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use router_core::Place;
use rustc_hash::FxHashSet;

use super::draft::Draft;
use super::mask::{self, MaskedLine};
use super::node::Mark;
use super::problem::{Problem, Severity};
use crate::text::secrets::{Secrets, closing_quote, value_without_secrets};

/// How many lines around a label may be drawn, which is what the renderer does to fill small gaps.
const AROUND: usize = 3;
/// Labels that are more lines apart are drawn in two snippets.
const FAR: u32 = 40;

/// The files that were read.
#[derive(Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
    /// Values that are secret wherever they stand.
    secrets: Secrets,
}

struct Source {
    name: Arc<str>,
    text: String,
    lines: OnceCell<Vec<Line>>,
}

/// A line as it is, by its bytes in the text, and as it may be shown.
struct Line {
    original: Range<usize>,
    masked: MaskedLine,
}

impl Source {
    fn lines(&self) -> &[Line] {
        self.lines.get_or_init(|| {
            let mut start = 0;
            let lines = self.text.split('\n').zip(mask::lines(&self.text));
            lines
                .map(|(line, masked)| {
                    let original = start..start + line.len();
                    start = original.end + 1;
                    Line { original, masked }
                })
                .collect()
        })
    }
}

impl Sources {
    /// Adds a file and gives it its number.
    pub(crate) fn add(&mut self, name: &str, text: String) -> u32 {
        // A URL may stand where the name of a file belongs.
        let name = value_without_secrets(name).into();
        self.files.push(Source { name, text, lines: OnceCell::new() });
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The text of a file.
    pub(crate) fn text(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |source| &source.text)
    }

    /// The texts of all files.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|source| source.text.as_str())
    }

    /// What is hidden in everything that is drawn.
    pub(crate) fn secrets(&mut self) -> &mut Secrets {
        &mut self.secrets
    }

    /// A mark as it is shown.
    pub(crate) fn place(&self, mark: Mark) -> Option<Place> {
        let source = self.source(mark)?;
        Some(Place::new(Arc::clone(&source.name), mark.line, mark.column))
    }

    fn source(&self, mark: Mark) -> Option<&Source> {
        self.files.get(mark.file as usize).filter(|_| mark.line > 0)
    }

    /// Draws problems in the order of the file, each once.
    pub(crate) fn report(&self, mut drafts: Vec<Draft>) -> Vec<Problem> {
        drafts.sort_by_key(|draft| draft.mark);
        // What two aliases of YAML repeat is one problem; so is what stands in an environment.
        let mut seen = FxHashSet::default();
        drafts.retain(|draft| {
            draft.mark.line == 0 || seen.insert((draft.code, draft.mark, draft.message.clone()))
        });
        drafts.iter().map(|draft| self.draw(draft)).collect()
    }

    /// Draws a problem.
    fn draw(&self, draft: &Draft) -> Problem {
        // The one way from a draft to what people are shown, so no message can forget its secrets.
        let shown = |text: &str| self.secrets.hide(text);
        let message = shown(&draft.message);
        let label = shown(&draft.label);
        let help = draft.help.as_deref().map(shown);
        let level = match draft.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group =
            level.primary_title(message.as_str()).id(draft.code.as_str()).elements(None::<Origin<'_>>);
        let primary = [(draft.mark, label.as_str(), AnnotationKind::Primary)];
        let related = draft.related.iter().filter(|(mark, _)| mark.line > 0);
        let related: Vec<_> = related.map(|(mark, label)| (*mark, shown(label))).collect();
        let related: Vec<_> =
            related.iter().map(|(mark, label)| (*mark, label.as_str(), AnnotationKind::Context)).collect();
        // A label in another file, or far away, needs a snippet of its own.
        let is_near =
            |mark: &Mark| mark.file == draft.mark.file && mark.line.abs_diff(draft.mark.line) <= FAR;
        let snippets = if related.iter().all(|(mark, ..)| is_near(mark)) {
            vec![primary.into_iter().chain(related).collect()]
        } else {
            vec![primary.to_vec(), related]
        };
        for annotations in snippets {
            let Some(source) = annotations.first().and_then(|(mark, ..)| self.source(*mark)) else {
                continue;
            };
            group = match self.snippet(source, &annotations) {
                Some(snippet) => group.element(snippet),
                None => group.element(Origin::path(&*source.name)),
            };
        }
        let mut report = vec![group];
        report.extend(help.as_deref().map(|help| Group::with_title(Level::HELP.secondary_title(help))));
        let rendered = Renderer::plain().decor_style(DecorStyle::Ascii).render(&report);
        Problem {
            code: draft.code,
            severity: draft.severity,
            place: self.place(draft.mark),
            related: draft.related.as_ref().and_then(|(mark, _)| self.place(*mark)),
            label: Some(label).filter(|label| !label.is_empty()),
            message,
            help,
            rendered,
        }
    }

    fn snippet<'a>(
        &'a self,
        source: &'a Source,
        annotations: &[(Mark, &'a str, AnnotationKind)],
    ) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let lines = source.lines();
        let wanted: Vec<usize> = annotations.iter().map(|(mark, ..)| mark.line as usize - 1).collect();
        let first = *wanted.iter().min()?;
        let last = (*wanted.iter().max()?).min(lines.len() - 1);
        let mut text = String::new();
        let mut drawn = Vec::new();
        for (index, line) in lines.iter().enumerate().take(last + 1).skip(first) {
            let start = text.len();
            if wanted.iter().any(|wanted| wanted.abs_diff(index) <= AROUND) {
                text.push_str(&self.secrets.hide_these(&line.masked.text));
            }
            text.push('\n');
            for (mark, label, kind) in annotations.iter().filter(|(mark, ..)| mark.line as usize == index + 1)
            {
                let span = span(&source.text[line.original.clone()], mark.column as usize - 1);
                let end = text.len() - 1;
                let from = (start + line.masked.offset(span.start)).min(end);
                let to = (start + line.masked.offset(span.end)).clamp(from, end);
                let (from, to) = (floor(&text, from), floor(&text, to));
                let annotation = kind.span(from..to);
                drawn.push(if label.is_empty() { annotation } else { annotation.label(*label) });
            }
        }
        if drawn.is_empty() {
            return None;
        }
        Some(Snippet::source(text).line_start(first + 1).path(&*source.name).annotations(drawn))
    }
}

/// The nearest boundary of a character at or before a place.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The bytes of a line that a key or a value takes which begins at a column, counted from zero.
fn span(line: &str, column: usize) -> Range<usize> {
    let line = line.trim_end();
    let start = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let rest = &line[start..];
    let length = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => closing_quote(rest, quote).map_or(rest.len(), |at| at + 1),
        _ => {
            let in_flow = depth_of_flow(&line[..start]) > 0;
            let is_end = |at: usize, c: char| match c {
                ':' => matches!(rest[at + 1..].chars().next(), None | Some(' ' | '\t')),
                '#' => rest[..at].ends_with([' ', '\t']),
                ',' | '}' | ']' => in_flow && !in_variable(&rest[..at]),
                _ => false,
            };
            let end = rest.char_indices().find(|(at, c)| is_end(*at, *c)).map_or(rest.len(), |(at, _)| at);
            rest[..end].trim_end().len()
        }
    };
    start..start + length
}

/// How many `{` and `[` are open; those of variables do not count.
fn depth_of_flow(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut variable = false;
    for c in text.chars() {
        match c {
            '{' if before == '$' => variable = true,
            '}' if variable => variable = false,
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = c;
    }
    depth
}

/// Whether a variable's brace is open.
fn in_variable(text: &str) -> bool {
    text.rfind("${").is_some_and(|at| !text[at..].contains('}'))
}
