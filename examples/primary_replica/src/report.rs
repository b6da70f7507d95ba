//! What the tour prints: who did what, which node answered, and what it said.

use std::fmt;

/// One line of the tour.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    /// The alias of the node that answered, or how a node stands.
    pub(crate) node: String,
    pub(crate) result: String,
}

/// A part of the tour.
#[derive(Debug)]
struct Chapter {
    title: &'static str,
    rows: Vec<Row>,
}

/// What the tour has shown so far.
#[derive(Debug)]
pub(crate) struct Report {
    title: &'static str,
    chapters: Vec<Chapter>,
}

impl Report {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, chapters: Vec::new() }
    }

    pub(crate) fn chapter(&mut self, title: &'static str) {
        self.chapters.push(Chapter { title, rows: Vec::new() });
    }

    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        node: impl Into<String>,
        result: impl Into<String>,
    ) {
        let row = Row { what: what.into(), node: node.into(), result: result.into() };
        self.chapters.last_mut().expect("a tour begins with a chapter").rows.push(row);
    }

    /// Every line, in order.
    #[cfg(all(test, any(feature = "postgres", feature = "mysql")))]
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.chapters.iter().flat_map(|chapter| &chapter.rows)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "On {}", self.title)?;
        for (index, Chapter { title, rows }) in self.chapters.iter().enumerate() {
            write!(f, "\n\n{}. {title}", index + 1)?;
            for Row { what, node, result } in rows {
                let line = format!("   {what:<48}{node:<12}{result}");
                write!(f, "\n{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}
