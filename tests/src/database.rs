use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

/// A database of a test's own, dropped with this value.
pub struct TestDatabase {
    name: String,
    url: String,
    drop: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl TestDatabase {
    pub(crate) fn new(name: String, url: String, drop: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { name, url, drop: Some(Box::new(drop)) }
    }

    /// The name that the server knows it by: the one asked for, made unique.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL that Diesel connects with, password included.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDatabase").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(drop) = self.drop.take() {
            drop();
        }
    }
}

/// A database of a test's own on all nodes of a cluster, dropped with this value.
#[derive(Debug)]
pub struct ClusterDatabase {
    on_primary: TestDatabase,
    replica_urls: Vec<String>,
}

impl ClusterDatabase {
    pub(crate) fn new(on_primary: TestDatabase, replica_urls: Vec<String>) -> Self {
        Self { on_primary, replica_urls }
    }

    /// The name that the servers know it by: the one asked for, made unique.
    #[must_use]
    pub fn name(&self) -> &str {
        self.on_primary.name()
    }

    /// The URL on the primary, password included.
    #[must_use]
    pub fn url(&self) -> &str {
        self.on_primary.url()
    }

    /// The URL on the replica of that number, password included.
    ///
    /// # Panics
    /// If the cluster has no such replica.
    #[must_use]
    pub fn replica_url(&self, replica: usize) -> &str {
        &self.replica_urls[replica]
    }
}

/// `name`, made unique within this process.
///
/// # Panics
/// If the name would need quoting.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    assert!(
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        "`{name}` is no name for a test's database: use a-z, 0-9 and _"
    );
    format!("{name}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
