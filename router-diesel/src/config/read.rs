//! Reads the file model from the tree, and goes on after what is wrong.
//!
//! A serde deserializer stops at its first error. This one tells every error to `problems` where it
//! arises, place and all, and fails; the `Setting` around each field of the file model takes the
//! failure as "wrong" and lets its neighbours be read.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::code::Code;
use super::draft::Draft;
use super::env::Variables;
use super::file::ROOT;
use super::node::{Entry, Mark, Node, Value};
use super::values::LENGTH;

/// What reading needs beside the tree.
pub(crate) struct Context<'a> {
    /// Nothing where variables are not to be looked up: in an environment that was not chosen.
    pub(crate) variables: Option<&'a Variables>,
    pub(crate) problems: &'a RefCell<Vec<Draft>>,
}

/// Reads a value of the file model; nothing if it is wrong, which is then among the problems.
pub(crate) fn read<'a, T: de::Deserialize<'a>>(
    node: &'a Node,
    mark: Mark,
    context: &'a Context<'a>,
) -> Option<T> {
    T::deserialize(NodeDeserializer { node, mark: node.mark.or(mark), context }).ok()
}

/// That something is wrong. What, is among the problems already, unless a visitor raised it just now.
#[derive(Debug)]
pub(crate) enum ReadError {
    Told,
    Type(String),
    Value(String),
    Other(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Told => "see the problems",
            Self::Type(text) | Self::Value(text) | Self::Other(text) => text,
        })
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    // The unexpected value is not kept: it may be a secret.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Type(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Value(expected.to_string())
    }
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'a> {
    node: &'a Node,
    /// The place of the value, or of its key.
    mark: Mark,
    context: &'a Context<'a>,
}

impl<'a> NodeDeserializer<'a> {
    fn of_entry(entry: &'a Entry, context: &'a Context<'a>) -> Self {
        Self { node: &entry.node, mark: entry.value_mark(), context }
    }

    fn tell(self, draft: Draft) -> ReadError {
        self.context.problems.borrow_mut().push(draft);
        ReadError::Told
    }

    /// Tells what a visitor found wrong, if it is not told yet.
    fn told<T>(self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| match error {
            ReadError::Told => ReadError::Told,
            ReadError::Type(expected) => self.wrong_type(&expected),
            ReadError::Value(expected) | ReadError::Other(expected) => self.tell(
                Draft::new(Code::WrongType, "a value is not what belongs here")
                    .at(self.mark, format!("expected {expected}")),
            ),
        })
    }

    fn wrong_type(self, expected: &str) -> ReadError {
        let mut draft =
            Draft::new(Code::WrongType, format!("expected {expected}, found {}", self.node.kind()))
                .at(self.mark, format!("this is {}", self.node.kind()));
        if expected == TEXT && matches!(self.node.value, Value::Bool(_) | Value::Integer(_) | Value::Float(_))
        {
            draft = draft.help("write it in quotes");
        }
        self.tell(draft)
    }

    /// A text with its variables, as far as they are to be looked up.
    fn expanded(self, text: &'a str) -> Result<Cow<'a, str>, ReadError> {
        match self.context.variables {
            Some(variables) => variables.expand(text).map_err(|error| self.tell(error.draft(self.mark))),
            None => Ok(Cow::Borrowed(text)),
        }
    }

    /// A text that stands where a number or a duration belongs may be a variable. Where variables are
    /// not looked up, `stand_in` passes for what it will be.
    fn variable(self, text: &'a str, stand_in: &'static str) -> Result<Cow<'a, str>, ReadError> {
        match self.context.variables {
            None if text.contains('$') => Ok(Cow::Borrowed(stand_in)),
            _ => self.expanded(text),
        }
    }

    fn integer<V: Visitor<'a>>(
        self,
        visitor: V,
        range: std::ops::RangeInclusive<i128>,
    ) -> Result<V::Value, ReadError> {
        let number = match &self.node.value {
            Value::Integer(number) => Some(*number),
            Value::Float(_) => None,
            Value::Text(text) if text.contains('$') => self.variable(text, "1")?.trim().parse().ok(),
            _ => return Err(self.wrong_type("a number")),
        };
        match number.filter(|number| range.contains(number)) {
            // Every range that is asked for lies within this type.
            Some(number) => self.told(visitor.visit_u64(u64::try_from(number).unwrap_or_default())),
            None => Err(self.tell(Draft::new(Code::BadNumber, Code::BadNumber.title()).at(
                self.mark,
                format!("expected a whole number from {} to {}", range.start(), range.end()),
            ))),
        }
    }
}

const TEXT: &str = "text";

impl<'a> de::Deserializer<'a> for NodeDeserializer<'a> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => visitor.visit_i128(*value),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(&self.expanded(text)?),
            Value::List(nodes) => visitor.visit_seq(Nodes { nodes: nodes.iter(), parent: self }),
            Value::Map(_) => return self.deserialize_map(visitor),
        };
        self.told(result)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Text(text) => self.told(visitor.visit_str(&self.expanded(text)?)),
            _ => Err(self.wrong_type(TEXT)),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let value = match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.contains('$') => self.variable(text, "true")?.trim().parse().ok(),
            _ => None,
        };
        match value {
            Some(value) => self.told(visitor.visit_bool(value)),
            None => Err(self.wrong_type("true or false")),
        }
    }

    fn deserialize_u16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // The only number of this size is a port, and port 0 is none.
        self.integer(visitor, 1..=u16::MAX.into())
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.integer(visitor, 0..=u32::MAX.into())
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name != LENGTH {
            return visitor.visit_newtype_struct(self);
        }
        let bad = |label: &str| Draft::new(Code::BadDuration, Code::BadDuration.title()).at(self.mark, label);
        match &self.node.value {
            Value::Text(text) => {
                visitor.visit_str(&self.variable(text, "1s")?).map_err(|error| match error {
                    ReadError::Told => ReadError::Told,
                    error => self.tell(bad(&format!("expected {error}"))),
                })
            }
            Value::Integer(number) => Err(self.tell(
                bad("a number says nothing of its unit").help(format!("write `{number}s` or `{number}ms`")),
            )),
            _ => Err(self.wrong_type(super::duration::EXPECTED)),
        }
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Map(entries) => {
                let map = Entries { entries: entries.iter(), value: None, context: self.context };
                self.told(visitor.visit_map(map))
            }
            // `databases:` with nothing below it.
            Value::Null => {
                let map = Entries { entries: [].iter(), value: None, context: self.context };
                self.told(visitor.visit_map(map))
            }
            _ => Err(match visitor_expects(&visitor) {
                Some(expected) => self.wrong_type(&expected),
                None => self.wrong_type("a map"),
            }),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let is_own = |key: &str| name == ROOT && key.starts_with("x-");
        for entry in self.node.entries() {
            if !fields.contains(&entry.key.as_str()) && !is_own(&entry.key) {
                unknown_key(entry, fields, self.context);
            }
        }
        match &self.node.value {
            Value::Map(entries) => {
                let known = entries.iter().filter(|entry| fields.contains(&entry.key.as_str()));
                let map = Entries { entries: known, value: None, context: self.context };
                self.told(visitor.visit_map(map))
            }
            _ => self.deserialize_map(visitor),
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i8 i16 i32 i64 i128 u8 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct enum identifier ignored_any
    }
}

/// What the visitor says that it expects.
fn visitor_expects<'a, V: Visitor<'a>>(visitor: &V) -> Option<String> {
    struct Expects<'v, V>(&'v V);

    impl<'a, V: Visitor<'a>> fmt::Display for Expects<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }

    Some(Expects(visitor).to_string()).filter(|expected| !expected.is_empty())
}

/// Tells of a key that means nothing.
pub(crate) fn unknown_key(entry: &Entry, known: &[&str], context: &Context<'_>) {
    let draft = Draft::new(Code::UnknownKey, format!("unknown key `{}`", entry.key))
        .at(entry.mark, "this key means nothing here")
        .help(format!("the keys here are {}", list(known)))
        .did_you_mean(&entry.key, known.iter().copied());
    context.problems.borrow_mut().push(draft);
}

/// Words as a list in a sentence.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

struct Nodes<'a> {
    nodes: std::slice::Iter<'a, Node>,
    parent: NodeDeserializer<'a>,
}

impl<'a> SeqAccess<'a> for Nodes<'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.nodes
            .next()
            .map(|node| {
                let mark = node.mark.or(self.parent.mark);
                seed.deserialize(NodeDeserializer { node, mark, ..self.parent })
            })
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len())
    }
}

struct Entries<'a, I> {
    entries: I,
    value: Option<&'a Entry>,
    context: &'a Context<'a>,
}

impl<'a, I: Iterator<Item = &'a Entry>> MapAccess<'a> for Entries<'a, I> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.value = self.entries.next();
        self.value
            .map(|entry| seed.deserialize(de::value::BorrowedStrDeserializer::new(&entry.key)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.value.take() {
            Some(entry) => seed.deserialize(NodeDeserializer::of_entry(entry, self.context)),
            None => Err(de::Error::custom("a value before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint().1
    }
}
