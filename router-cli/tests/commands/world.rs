//! A folder with a configuration, and the program run over it.

use std::fs;
use std::path::PathBuf;

use router_cli::{Exit, Program};
use tempfile::TempDir;

/// Four apps with tables, one that is only claimed; a database that is read only, one whose migrations run as its
/// owner, and a table that somebody else owns.
pub(crate) const SHOP: &str = "
apps:
  users: { tables: [users, groups] }
  blog: { tables: [posts, comments] }
  events: { tables: [page_views, 'events_*'] }
  legacy: { tables: [customers], managed: false }

databases:
  default:
    url: sqlite://FOLDER/default.sqlite3
    apps: [users]
  blog_db:
    url: sqlite://FOLDER/blog.sqlite3
    apps: [blog]
    operations: [read, write]
    migrate_to: blog_owner
  blog_owner:
    url: sqlite://FOLDER/blog.sqlite3
  analytics:
    url: sqlite://FOLDER/analytics.sqlite3
    apps: [events, audit]
    operations: [read]
";

/// Three databases: the records of the blog's are kept on the default one, and its migrations run as its owner.
#[cfg(feature = "sqlite")]
pub(crate) const MIGRATED: &str = "
apps:
  users: { tables: [users], migrations: 'FOLDER/migrations/users' }
  blog: { tables: [posts, comments], migrations: 'FOLDER/migrations/blog' }
  shop: { tables: [products, orders], migrations: 'FOLDER/migrations/shop' }

databases:
  default:
    url: sqlite://FOLDER/default.sqlite3
    apps: [users]
  blog_db:
    url: sqlite://FOLDER/blog.sqlite3
    apps: [blog]
    migrate_to: blog_owner
    migration_history: default
  blog_owner:
    url: sqlite://FOLDER/blog.sqlite3
  shop_db:
    url: sqlite://FOLDER/shop.sqlite3
    apps: [shop]
";

/// The same with an owner that may do nothing but migrate, as the guide has it.
#[cfg(feature = "sqlite")]
pub(crate) const GUIDE: &str = "
apps:
  users: { tables: [users], migrations: 'FOLDER/migrations/users' }
  blog: { tables: [posts, comments], migrations: 'FOLDER/migrations/blog' }
  shop: { tables: [products, orders], migrations: 'FOLDER/migrations/shop' }

databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3', apps: [users] }
  blog_db: { url: 'sqlite://FOLDER/blog.sqlite3', apps: [blog], migrate_to: blog_owner, migration_history: default }
  blog_owner: { url: 'sqlite://FOLDER/blog.sqlite3', operations: [migrate] }
  shop_db: { url: 'sqlite://FOLDER/shop.sqlite3', apps: [shop] }
";

/// A cluster of three files. Nobody tells how far a replica of SQLite is behind.
#[cfg(feature = "sqlite")]
pub(crate) const CLUSTER: &str = "
apps:
  blog: { tables: [posts] }

databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3', apps: [blog] }
  copy: { url: 'sqlite://FOLDER/copy.sqlite3', replica_of: default }
  second: { url: 'sqlite://FOLDER/second.sqlite3', replica_of: default }
  other: { url: 'sqlite::memory:' }
";

/// A folder with the configuration of a test.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) program: Program,
}

/// What a command wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A folder with this configuration, in which `FOLDER` stands for the folder.
    pub(crate) fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let none: [(&str, &str); 0] = [];
        let program = Program::new().config(folder.path().join("databases.yml")).variables(none);
        let world = Self { folder, program };
        world.write("databases.yml", yaml);
        world
    }

    pub(crate) fn shop() -> Self {
        Self::new(SHOP)
    }

    /// A cluster of which the files are there that are named.
    #[cfg(feature = "sqlite")]
    pub(crate) fn cluster<const N: usize>(files: [&str; N]) -> Self {
        let world = Self::new(CLUSTER);
        for file in files {
            fs::write(world.path(file), "").unwrap();
        }
        world
    }

    /// Three databases, and migrations of three apps that are yet to run.
    #[cfg(feature = "sqlite")]
    pub(crate) fn migrated() -> Self {
        Self::migrated_as(MIGRATED)
    }

    /// The same, as another file has the databases.
    #[cfg(feature = "sqlite")]
    pub(crate) fn migrated_as(yaml: &str) -> Self {
        let world = Self::new(yaml);
        world.migration("users/1_users", "CREATE TABLE users (id INTEGER);", "DROP TABLE users;");
        world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER);", "DROP TABLE posts;");
        world.migration("blog/2_comments", "CREATE TABLE comments (id INTEGER);", "DROP TABLE comments;");
        world.migration("shop/1_products", "CREATE TABLE products (id INTEGER);", "DROP TABLE products;");
        world
    }

    /// Writes a migration, named as `app/version_name`.
    #[cfg(feature = "sqlite")]
    pub(crate) fn migration(&self, name: &str, up: &str, down: &str) {
        self.write(&format!("migrations/{name}/up.sql"), up);
        self.write(&format!("migrations/{name}/down.sql"), down);
    }

    /// Changes the program, such as by a router.
    pub(crate) fn with(mut self, change: impl FnOnce(Program) -> Program) -> Self {
        self.program = change(self.program);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and says where it is.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("FOLDER", self.folder.path().to_str().unwrap())).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Ended {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let arguments = std::iter::once("dbrouter").chain(arguments);
        let exit = self.program.run(arguments, &mut stdout, &mut stderr);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { exit, stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs a command and gives all that a snapshot should hold of it, without what differs from run to run.
    pub(crate) fn show<const N: usize>(&self, arguments: [&str; N]) -> String {
        let Ended { exit, stdout, stderr } = self.run(arguments);
        let text = format!("exit: {}\n--- stdout\n{stdout}--- stderr\n{stderr}", exit.code());
        text.replace(self.folder.path().to_str().unwrap(), "FOLDER")
    }
}

/// Compares with a snapshot of which places, durations and versions are left out.
#[macro_export]
macro_rules! assert_shown {
    ($shown:expr, @$snapshot:literal) => {
        insta::with_settings!({ filters => vec![
            // Where in the file something stands is the loader's business.
            (r"\.yml:\d+:\d+", ".yml:LINE:COLUMN"),
            (r#""line":\d+,"column":\d+"#, r#""line":LINE,"column":COLUMN"#),
            // In a column, the width depends on the longest time.
            (r" +\d+\.\d m?s {2,}(\S)", " TIME  $1"),
            (r" +\d+\.\d m?s\b", " TIME"),
            (r#""ms":\d+\.\d+"#, r#""ms":TIME"#),
            (r"`[^`]* on [^ `]+ pid \d+`", "`HOLDER`"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN"),
            (r"\d{4}-\d\d-\d\d-\d{6}", "NOW"),
            (r"3\.\d+\.\d+", "VERSION"),
        ]}, {
            insta::assert_snapshot!($shown, @$snapshot);
        });
    };
}
