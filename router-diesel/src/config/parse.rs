//! Reads YAML into the tree.
//!
//! No second parser finds the places. YAML's own deserializer adds line and column to any error that
//! a visitor returns, so the visitor here keeps the value it is given, fails on purpose, and the seed
//! around it reads the place from that error. A scalar has been consumed by then, and the reading
//! goes on as if nothing had happened: all places in one pass.

use std::cell::{Cell, RefCell};
use std::fmt;

use rustc_hash::FxHashMap;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::code::Code;
use super::draft::Draft;
use super::node::{Entry, Mark, Node, Value};

/// How many values a file may have before its aliases are a bomb, beside one for every two bytes:
/// as many as a file can have without aliases.
const SPARE_NODES: usize = 500_000;

/// How many brackets may be open at a time. The parser itself goes 128 levels down.
const DEEPEST: usize = 1_000;

/// Which places are kept. An error for each costs more than the reading itself, so that the places
/// which only a message would show are found when there is a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// Those of the apps and of the databases, which reasons show.
    Declarations,
    /// All.
    All,
}

/// How deep the keys of apps and databases are.
const DECLARATION: usize = 1;

/// Reads a text. What is wrong within the tree goes to `problems`; an error means that there is none.
pub(crate) fn parse(
    text: &str,
    file: u32,
    places: Places,
    problems: &mut Vec<Draft>,
) -> Result<Node, Box<Draft>> {
    let reader = Reader {
        file,
        places,
        left: Cell::new(SPARE_NODES + text.len() / 2),
        problems: RefCell::new(Vec::new()),
    };
    if let Some(mark) = abyss(text, file) {
        return Err(too_deep(mark).boxed());
    }
    let node = reader.value(0).deserialize(serde_yaml::Deserializer::from_str(text));
    problems.append(&mut reader.problems.borrow_mut());
    node.map_err(|error| refusal(&error, text, file, reader.left.get() == 0).boxed())
}

/// Where more brackets are open than any configuration has, if that is so. Every one of them costs the
/// parser as much as all that are open before it: half a megabyte of brackets would cost it an hour.
/// Brackets in texts and comments are counted, too, which is of no matter with so many.
fn abyss(text: &str, file: u32) -> Option<Mark> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let line = text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = text[line_start..at].chars().count() + 1;
            return Some(Mark { file, line: u32::try_from(line).ok()?, column: u32::try_from(column).ok()? });
        }
    }
    None
}

fn too_deep(mark: Mark) -> Draft {
    Draft::new(Code::Expansion, "the file is nested too deeply")
        .at(mark, "here are too many levels")
        .help("is a bracket not closed, or does an alias (`*name`) stand within what it stands for?")
}

/// The problem of a text that YAML's parser does not read.
fn refusal(error: &serde_yaml::Error, text: &str, file: u32, is_bomb: bool) -> Draft {
    let message = error.to_string();
    let mark = error.location().map_or(Mark { file, line: 1, column: 1 }, |location| Mark {
        file,
        line: u32::try_from(location.line()).unwrap_or(u32::MAX),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX),
    });
    let first = message.split(" at line ").next().unwrap_or_default();
    if first.contains("recursion limit") {
        return too_deep(mark);
    }
    if is_bomb || first.contains("limit exceeded") {
        return Draft::new(Code::Expansion, "the file is too large once its aliases are expanded")
            .at(mark, "here it ends")
            .help("aliases (`*name`) copy what they stand for; use fewer, and none within itself");
    }
    let (before, at) = around(text, mark);
    let is_tab = at == Some('\t');
    let label = match first {
        _ if is_tab => "here is a tab, and YAML is indented with spaces",
        "unknown anchor" => "this alias (`*name`) has no anchor (`&name`) before it",
        _ if first.contains("more than one document") => "here a second document begins",
        _ if first.ends_with(TAGS) => TAGS,
        // The texts of the parser are fixed ones and quote nothing of the file.
        _ => first.rsplit(": ").next().unwrap_or(first),
    };
    let mut draft = Draft::new(Code::Syntax, Code::Syntax.title()).at(mark, label);
    // `…, while parsing a flow mapping at line 2 column 12`: where the parser began what it cannot end.
    if let Some((_, context)) = message.split_once(", while ")
        && let Some(begun) = place(context)
    {
        let what = context.split(" at line ").next().unwrap_or_default();
        draft = draft.also(Mark { file, ..begun }, format!("while {what}"));
    }
    if is_tab {
        draft = draft.help("put spaces in the place of each tab");
    } else if (before, at) == (Some('$'), Some('{')) {
        draft = draft.help("within `{ … }` and `[ … ]` write it in quotes: `\"${NAME}\"`");
    } else if first.contains("character that cannot start any token") {
        draft = draft.help("put the value in quotes");
    }
    draft
}

/// The characters before and at a place.
fn around(text: &str, mark: Mark) -> (Option<char>, Option<char>) {
    let column = mark.column as usize;
    let line = text.split('\n').nth((mark.line as usize).saturating_sub(1)).unwrap_or_default();
    let at = |column: usize| column.checked_sub(1).and_then(|index| line.chars().nth(index));
    (at(column.saturating_sub(1)), at(column))
}

const TAGS: &str = "tags (`!name`) mean nothing in this file";

struct Reader {
    file: u32,
    places: Places,
    left: Cell<usize>,
    problems: RefCell<Vec<Draft>>,
}

impl Reader {
    fn value(&self, depth: usize) -> NodeSeed<'_> {
        NodeSeed { reader: self, depth, is_placed: self.places == Places::All }
    }

    fn key(&self, depth: usize) -> NodeSeed<'_> {
        NodeSeed { reader: self, depth, is_placed: self.places == Places::All || depth == DECLARATION }
    }

    /// The place that the deserializer has added to an error.
    fn mark<E: fmt::Display>(&self, error: &E) -> Mark {
        // The place of a file's first character is written in another way.
        let mark = place(&error.to_string()).unwrap_or(Mark { line: 1, column: 1, ..Mark::default() });
        Mark { file: self.file, ..mark }
    }
}

/// The place at the end of an error's text: `at line 3 column 5`.
fn place(text: &str) -> Option<Mark> {
    let (_, place) = text.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some(Mark { file: 0, line: line.parse().ok()?, column: column.parse().ok()? })
}

/// Reads a value, or fails as the deserializer does.
struct NodeSeed<'a> {
    reader: &'a Reader,
    /// How many maps and lists are around it.
    depth: usize,
    is_placed: bool,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let Self { reader, depth, is_placed } = self;
        let scalar = RefCell::new(None);
        let result = deserializer.deserialize_any(NodeVisitor { reader, depth, is_placed, scalar: &scalar });
        result.or_else(|error| match scalar.take() {
            Some(value) => Ok(Node { mark: reader.mark(&error), value }),
            None => Err(error),
        })
    }
}

struct NodeVisitor<'a> {
    reader: &'a Reader,
    depth: usize,
    is_placed: bool,
    scalar: &'a RefCell<Option<Value>>,
}

impl NodeVisitor<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        match self.reader.left.get() {
            0 => Err(E::custom("too many")),
            left => {
                self.reader.left.set(left - 1);
                Ok(())
            }
        }
    }

    /// Keeps a scalar, and fails on purpose where its place is wanted.
    fn keep<E: Error>(self, value: Value) -> Result<Node, E> {
        self.count()?;
        if !self.is_placed {
            // Without a place, but a path is relative to its file.
            return Ok(Node { mark: Mark { file: self.reader.file, ..Mark::default() }, value });
        }
        *self.scalar.borrow_mut() = Some(value);
        Err(E::custom(""))
    }
}

impl<'de> Visitor<'de> for NodeVisitor<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.keep(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.keep(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.keep(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.keep(Value::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.keep(Value::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.keep(Value::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.keep(Value::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.keep(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.keep(Value::Text(value.to_owned()))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom(TAGS))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        self.count()?;
        let mut nodes = Vec::new();
        while let Some(mut node) = list.next_element_seed(self.reader.value(self.depth + 1))? {
            // A map in a list has no key whose place could serve.
            node.mark = node.first_mark();
            nodes.push(node);
        }
        Ok(Node { mark: Mark::default(), value: Value::List(nodes) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.count()?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut names = Names::default();
        while let Some(key) = map.next_key_seed(self.reader.key(self.depth))? {
            let node = map.next_value_seed(self.reader.value(self.depth + 1))?;
            let mark = key.first_mark();
            let key = match key.value {
                Value::Text(text) => text,
                Value::Integer(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => {
                    let draft = Draft::new(Code::WrongType, "a key is not text")
                        .at(mark, format!("this is {}", key.kind()))
                        .help("write the key in quotes");
                    self.reader.problems.borrow_mut().push(draft);
                    continue;
                }
            };
            let entry = Entry { key, mark, node };
            if entry.key == "<<" {
                merged.push(entry);
                continue;
            }
            match names.index_of(&entries, &entry.key) {
                None => {
                    entries.push(entry);
                    names.added(&entries);
                }
                Some(first) => {
                    let draft = Draft::new(Code::DuplicateKey, format!("`{}` stands twice", entry.key))
                        .at(mark, "again here")
                        .also(entries[first].mark, "first here")
                        .help("remove one of the two");
                    self.reader.problems.borrow_mut().push(draft);
                }
            }
        }
        for entry in merged {
            self.merge(&mut entries, &mut names, entry);
        }
        Ok(Node { mark: Mark::default(), value: Value::Map(entries) })
    }
}

impl NodeVisitor<'_> {
    /// Adds what a merge key brings and the map does not have: of several maps the first counts.
    fn merge(&self, entries: &mut Vec<Entry>, names: &mut Names, from: Entry) {
        let mark = from.value_mark();
        let maps = match from.node.value {
            Value::List(nodes) => nodes,
            _ => vec![from.node],
        };
        for map in maps {
            let Value::Map(others) = map.value else {
                let draft = Draft::new(Code::BadMerge, "`<<` merges maps only")
                    .at(map.mark.or(mark), format!("this is {}", map.kind()))
                    .help("write `<<: *name`, where `&name` marks a map");
                self.reader.problems.borrow_mut().push(draft);
                continue;
            };
            for other in others {
                if names.index_of(entries, &other.key).is_none() {
                    entries.push(other);
                    names.added(entries);
                }
            }
        }
    }
}

/// Finds keys among entries. Most maps are small and are looked through; the apps and the databases
/// may be many.
#[derive(Default)]
struct Names(FxHashMap<String, usize>);

impl Names {
    const FEW: usize = 16;

    fn index_of(&self, entries: &[Entry], key: &str) -> Option<usize> {
        if entries.len() < Self::FEW {
            entries.iter().position(|entry| entry.key == key)
        } else {
            self.0.get(key).copied()
        }
    }

    fn added(&mut self, entries: &[Entry]) {
        let first = match entries.len() {
            ..Self::FEW => return,
            Self::FEW => 0,
            more => more - 1,
        };
        self.0
            .extend(entries.iter().enumerate().skip(first).map(|(index, entry)| (entry.key.clone(), index)));
    }
}
