//! What people call an engine: in the file, in URLs, in names of files and in sentences.

use super::{Engine, Product};

/// The words for an engine.
pub(crate) trait Words {
    /// The engine's name in the file and in URLs, and as a Cargo feature: `postgres`.
    fn name(&self) -> &'static str;

    /// The engine's name in sentences: `PostgreSQL`.
    fn title(&self) -> &'static str;

    /// What the file's `engine:` may say, the [`name`](Self::name) first.
    fn words(&self) -> &'static [EngineWord];

    /// What a URL may begin with. By default, each of the [`words`](Self::words).
    fn schemes(&self) -> &'static [EngineWord] {
        self.words()
    }

    /// The products that the engine's servers may be, the one that gave the engine its name first.
    fn products(&self) -> &'static [Product];

    /// The TCP port on which a server listens unless a URL says otherwise. An engine without servers has none.
    fn default_port(&self) -> Option<u16>;

    /// Whether databases of the engine are on servers, and not in files or memory.
    fn has_servers(&self) -> bool {
        self.default_port().is_some()
    }

    /// What stands in the names of files that hold for this engine alone, as in `up.postgres.sql`.
    ///
    /// The narrowest comes first: where files for several of them lie side by side, a server takes the first that
    /// holds for it. See [`Product::file_infixes`].
    fn file_infixes(&self) -> &'static [&'static str];
}

/// A word for an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EngineWord {
    /// The word itself: `mariadb`.
    pub(crate) text: &'static str,
    /// The engine that it means.
    pub(crate) engine: Engine,
    /// The one product of the engine's family that the word asks for.
    pub(crate) product: Option<Product>,
}

impl EngineWord {
    /// A word that any server of the engine satisfies.
    pub(crate) const fn of(engine: Engine, text: &'static str) -> Self {
        Self { text, engine, product: None }
    }
}

/// All words that the file's `engine:` may say.
pub(crate) fn all() -> impl Iterator<Item = EngineWord> {
    Engine::ALL.iter().flat_map(|engine| engine.spec().words()).copied()
}

/// All words that a URL may begin with.
pub(crate) fn schemes() -> impl Iterator<Item = EngineWord> {
    Engine::ALL.iter().flat_map(|engine| engine.spec().schemes()).copied()
}

/// All that may stand in the names of files that hold for some servers alone.
pub(crate) fn file_infixes() -> impl Iterator<Item = &'static str> {
    Engine::ALL.iter().flat_map(|engine| engine.spec().file_infixes()).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A word means one engine, and what is written is read.
    #[test]
    fn every_engine_has_words_of_its_own() {
        let all: Vec<&str> = schemes().map(|word| word.text).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
        for &engine in Engine::ALL {
            let spec = engine.spec();
            assert_eq!(spec.words()[0], EngineWord::of(engine, spec.name()));
            assert!(spec.words().iter().chain(spec.schemes()).all(|word| word.engine == engine), "{engine}");
            assert_eq!(spec.file_infixes().last(), Some(&spec.name()));
            assert_eq!(spec.products()[0].name(), spec.name());
            for product in spec.products() {
                assert_eq!(product.engine(), engine);
                assert!(
                    product.file_infixes().all(|infix| spec.file_infixes().contains(&infix)),
                    "{product}"
                );
            }
        }
    }
}
