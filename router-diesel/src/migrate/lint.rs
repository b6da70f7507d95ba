//! What is wrong with migrations before any of them runs.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use diesel::backend::Backend;
use router_core::{Alias, AppLabel, Hints, MissingHint, Model, Operation};

use super::Version;
use super::journal::Direction;
use super::migration::AppMigration;
use super::relation::Relation;
use super::sql::{Mention, Part};
use crate::config::{Database, TableMap};
use crate::engine::Product;
use crate::statement::TableName;
use crate::topology::Routing;

/// What is wrong with a migration, or with where it would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintCode {
    /// A folder or a file cannot be read, or a source cannot list its migrations.
    UnreadableSource,
    /// The folder that the file names for an app's migrations is not there.
    NoFolder,
    /// A folder is no migration: its name has no version, or it has no `up.sql`.
    NoMigration,
    /// An `up.sql` is empty.
    Empty,
    /// A `metadata.toml` cannot be understood.
    Metadata,
    /// Two folders of one app have one version.
    DuplicateVersion,
    /// There is no file for the engine of a database.
    NoFileForEngine,
    /// It begins or ends a transaction by hand, inside of the one that it runs in.
    TransactionControl,
    /// A constraint refers to a table on another database.
    ReferenceElsewhere,
    /// A router allows no relation between the two tables of a constraint, on whichever databases they are.
    RelationRefused,
    /// A migration names a table, and a router needs a hint to say where that is. It does not keep migrations from running.
    NeedsHint,
    /// A statement reads or changes a table on another database.
    StatementElsewhere,
    /// It creates a table that the file gives to another app.
    TableOfOtherApp,
    /// Two aliases of one physical database would both migrate the app.
    OnePhysicalDatabase,
    /// A statement cannot be read, so nobody knows its tables. It does not keep migrations from running.
    UnreadableStatement,
    /// The app is read from another physical database than it is migrated to.
    ReadElsewhere,
}

/// One problem that is found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintProblem {
    /// What kind of problem it is.
    pub code: LintCode,
    /// The app whose migration it is about.
    pub app: AppLabel,
    /// The migration, where it is about one.
    pub version: Option<Version>,
    /// The databases where it would go wrong; none where it would everywhere.
    pub databases: Vec<Alias>,
    /// The file or folder.
    pub file: Option<PathBuf>,
    /// The line in the file, from 1.
    pub line: Option<u64>,
    /// The table that it is about, where it is about one.
    pub table: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl LintProblem {
    pub(crate) fn new(code: LintCode, app: &AppLabel, message: impl Into<String>) -> Self {
        Self {
            code,
            app: app.clone(),
            version: None,
            databases: Vec::new(),
            file: None,
            line: None,
            table: None,
            message: message.into(),
            help: None,
        }
    }

    /// Whether nothing may run because of it. What nobody can tell is reported, but may well be right.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        !matches!(self.code, LintCode::UnreadableStatement | LintCode::NeedsHint)
    }

    /// Whether it is about where the two tables of a constraint are, or whether one may refer to the other.
    pub(crate) fn is_about_relation(&self) -> bool {
        matches!(self.code, LintCode::ReferenceElsewhere | LintCode::RelationRefused | LintCode::NeedsHint)
    }

    pub(crate) fn version(mut self, version: &Version) -> Self {
        self.version = Some(version.clone());
        self
    }

    pub(crate) fn file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    pub(crate) fn table(mut self, table: &TableName) -> Self {
        self.table = Some(table.to_string());
        self
    }

    pub(crate) fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn database(mut self, alias: &Alias) -> Self {
        self.databases.push(alias.clone());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// `migrations/blog/1_posts/up.sql:3: …`, and the help on a line of its own.
impl fmt::Display for LintProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, _) => {}
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// How often each file names each table of another app: lines to print before a long list of problems.
///
/// There are none for up to 20 problems, which fit on a screen.
#[must_use]
pub fn summary(problems: &[LintProblem]) -> Vec<String> {
    const FEW: usize = 20;
    let mut counts: BTreeMap<(&Path, &str), usize> = BTreeMap::new();
    for problem in problems {
        if let (Some(file), Some(table)) = (&problem.file, &problem.table) {
            *counts.entry((file, table)).or_default() += 1;
        }
    }
    let all: usize = counts.values().sum();
    if all <= FEW {
        return Vec::new();
    }
    let mut lines = vec![format!("{all} times a migration names a table of another app:")];
    lines.extend(
        counts.iter().map(|((file, table), count)| format!("  {}: `{table}` {count} times", file.display())),
    );
    lines
}

/// What the rules say of tables, and which aliases are one database.
pub(crate) struct Linter<'a> {
    pub(super) routing: &'a Routing,
    pub(super) tables: TableMap,
    problems: Vec<LintProblem>,
    /// Where each problem stands among them, by all that makes it the same on another database.
    known: HashMap<Key, usize>,
}

type Key =
    (LintCode, AppLabel, Option<Version>, Option<PathBuf>, Option<u64>, Option<String>, Option<String>);

impl<'a> Linter<'a> {
    pub(crate) fn new(routing: &'a Routing) -> Self {
        Self { routing, tables: routing.config().table_map(), problems: Vec::new(), known: HashMap::new() }
    }

    pub(crate) fn finish(self) -> Vec<LintProblem> {
        self.problems
    }

    /// Looks at a migration as it would run on a database, and at what would undo it there.
    pub(crate) fn migration<DB: Backend>(&mut self, database: &Database, migration: &AppMigration<DB>) {
        // Before a connection is opened, the server may be any of these.
        let products = database.url.products();
        if products.iter().all(|product| migration.up(*product).is_none()) {
            self.no_file(database, migration);
        }
        for product in products {
            self.side(database, *product, migration, Direction::Up);
            self.side(database, *product, migration, Direction::Down);
        }
    }

    /// Looks at the file of a migration that a server of this product runs, where there is one.
    pub(crate) fn side<DB: Backend>(
        &mut self,
        database: &Database,
        product: Product,
        migration: &AppMigration<DB>,
        direction: Direction,
    ) {
        let Some(file) = migration.side(product, direction) else { return };
        let script = file.script(product.engine());
        let unread =
            script.statements.iter().filter_map(|piece| Some((piece.line, piece.unreadable.as_ref()?)));
        for (line, reason) in unread.chain(script.unreadable.as_ref().map(|reason| (1, reason))) {
            let message = format!("cannot say which tables this uses: {reason}");
            let problem = LintProblem::new(LintCode::UnreadableStatement, &migration.id.app, message)
                .version(&migration.id.version)
                .file(&file.path)
                .line(line)
                .help("check by hand that all its tables are on this database");
            self.tell(database, problem);
        }
        for piece in &script.statements {
            if piece.controls_transaction && migration.in_transaction {
                self.tell(
                    database,
                    LintProblem::new(
                        LintCode::TransactionControl,
                        &migration.id.app,
                        "begins or ends a transaction by hand, but the migration runs in one with its record",
                    )
                    .version(&migration.id.version)
                    .file(&file.path)
                    .line(piece.line)
                    .help("remove the statement, or write `run_in_transaction = false` in metadata.toml"),
                );
            }
            for mention in &piece.mentions {
                if let Some(problem) = self.mention(database, &migration.id.app, mention) {
                    let problem = problem
                        .version(&migration.id.version)
                        .file(&file.path)
                        .line(mention.line)
                        .table(&mention.table);
                    self.tell(database, problem);
                }
            }
        }
    }

    fn no_file<DB: Backend>(&mut self, database: &Database, migration: &AppMigration<DB>) {
        let engine = database.url.engine();
        // A source without text has no files; a folder without any has been told of.
        if let super::migration::Body::Files(files) = &migration.body
            && files.up.all().next().is_some()
        {
            let message = format!(
                "migration `{}` of app `{}` has neither `up.sql` nor `up.{engine}.sql`, and would run on \
                 `{}` of {engine}",
                migration.id.name, migration.id.app, database.alias
            );
            let problem = LintProblem::new(LintCode::NoFileForEngine, &migration.id.app, message)
                .version(&migration.id.version)
                .file(&files.folder)
                .help(format!("write `up.{engine}.sql`; a comment is enough where nothing is to be done"));
            self.tell(database, problem);
        }
    }

    /// Records a problem; what is the same on several databases is told once, with all of them.
    fn tell(&mut self, database: &Database, problem: LintProblem) {
        let key = (
            problem.code,
            problem.app.clone(),
            problem.version.clone(),
            problem.file.clone(),
            problem.line,
            problem.table.clone(),
            problem.help.clone(),
        );
        match self.known.entry(key) {
            Entry::Occupied(known) => {
                let databases = &mut self.problems[*known.get()].databases;
                if !databases.contains(&database.alias) {
                    databases.push(database.alias.clone());
                }
            }
            Entry::Vacant(new) => {
                new.insert(self.problems.len());
                self.problems.push(problem.database(&database.alias));
            }
        }
    }

    fn mention(&self, database: &Database, app: &AppLabel, mention: &Mention) -> Option<LintProblem> {
        let table = &mention.table;
        let owner = self.tables.app_in(table.schema(), table.name(), table.case());
        if mention.part == Part::Referenced {
            match self.relation(app, owner, mention) {
                Relation::Allowed => return None,
                Relation::Refused(problem) => return Some(problem),
                Relation::Unsaid => {}
            }
        }
        let owner = owner.filter(|owner| *owner != app)?;
        if mention.part == Part::Created {
            let message = format!(
                "a migration of app `{app}` creates the table `{table}`, which the file gives to app `{owner}`"
            );
            return Some(LintProblem::new(LintCode::TableOfOtherApp, app, message).help(format!(
                "move the migration to app `{owner}`, or add `{}` to the `tables` of `{app}`",
                table.as_pattern()
            )));
        }
        let homes = match self.homes(owner, table.name()) {
            Ok(homes) => homes,
            Err(missing) => return Some(needs_hint(app, owner, table, &missing)),
        };
        if homes.is_empty() || homes.iter().any(|home| self.is_one(home, database)) {
            return None;
        }
        Some(elsewhere(app, owner, mention, (&database.alias, &homes[0].alias)))
    }

    /// Where an app's table is: where its migrations run, or where it is written if nobody here runs them.
    ///
    /// # Errors
    /// Nobody says where its migrations run, and a router needs a hint to say where it is written.
    fn homes(&self, app: &AppLabel, table: &str) -> Result<Vec<&'a Database>, MissingHint> {
        let (config, chain) = (self.routing.config(), self.routing.chain());
        let model = Model::of(app, Some(table));
        let mut migrated = Vec::new();
        for database in config.databases.iter().filter(|database| may_migrate(database)) {
            if chain.migration_allowed(&database.alias, &model, &Hints::default()) {
                if let Some(missing) = self.routing.migrated_by_default(&database.alias, &model) {
                    return Err(missing);
                }
                migrated.push(database);
            }
        }
        if !migrated.is_empty() {
            return Ok(migrated);
        }
        let decision = chain.route(Operation::Write, &model, &Hints::default());
        match decision.missing_hint() {
            Some(missing) => Err(missing.clone()),
            None => Ok(config.database(decision.alias().as_str()).into_iter().collect()),
        }
    }

    /// Whether two aliases are declared to be one database: by one URL, or by `migrate_to`.
    fn is_one(&self, a: &Database, b: &Database) -> bool {
        let leads = |from: &Database, to: &Database| from.migrate_to.as_ref() == Some(&to.alias);
        a.alias == b.alias || a.url == b.url || leads(a, b) || leads(b, a)
    }
}

/// A table that is on another database than the migration that names it.
fn elsewhere(
    app: &AppLabel,
    owner: &AppLabel,
    Mention { table, part, .. }: &Mention,
    (here, there): (&Alias, &Alias),
) -> LintProblem {
    let place = format!(
        "`{table}` of app `{owner}`, which is on `{there}`; this migration of app `{app}` runs on `{here}`"
    );
    match part {
        Part::Referenced => LintProblem::new(LintCode::ReferenceElsewhere, app, format!("refers to {place}"))
            .help("keep the id column, drop the constraint"),
        Part::Altered | Part::Used | Part::Created => {
            LintProblem::new(LintCode::StatementElsewhere, app, format!("uses {place}")).help(format!(
                "move the statement to a migration of app `{owner}`, or copy the rows by a program"
            ))
        }
    }
}

/// A table whose database nobody can name without a session.
fn needs_hint(app: &AppLabel, owner: &AppLabel, table: &TableName, missing: &MissingHint) -> LintProblem {
    let message = format!("cannot say where `{table}` of app `{owner}` is: {missing}");
    LintProblem::new(LintCode::NeedsHint, app, message).help(format!(
        "check by hand that it is on this database, or say in a router's `allow_migrate` where app `{owner}` is migrated"
    ))
}

/// Whether migrations may run on a database at all.
pub(crate) fn may_migrate(database: &Database) -> bool {
    !database.is_replica() && database.migrate && database.operations.contains(Operation::Migrate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::migrate::MigrationId;
    use crate::migrate::migration::{Body, Files, Sides, SqlFile};

    const FILE: &str = "
apps:
  users: { tables: [users] }
  blog: { tables: [posts] }
  shop: { tables: [products] }
  old: { tables: [customers], managed: false }
databases:
  default: { url: 'sqlite://default.sqlite3', apps: [users] }
  blog_db: { url: 'sqlite://blog.sqlite3', apps: [blog, old], migrate_to: blog_admin }
  blog_admin: { url: 'sqlite://blog.sqlite3' }
  shop_db: { url: 'sqlite://shop.sqlite3', apps: [shop] }
";

    #[cfg(feature = "sqlite")]
    #[test]
    fn problems_as_data() {
        let config = Config::from_yaml(FILE).unwrap();
        let routing = Routing::new(config).unwrap();
        for (app, alias, sql, expected) in [
            ("blog", "blog_admin", "CREATE TABLE posts (id INT)", ""),
            ("blog", "blog_admin", "CREATE TABLE tags (id INT REFERENCES posts (id))", ""),
            (
                "blog",
                "blog_admin",
                "CREATE TABLE x (id INT,\n u INT REFERENCES users (id))",
                "2 ReferenceElsewhere",
            ),
            ("blog", "blog_admin", "INSERT INTO posts SELECT id FROM users", "1 StatementElsewhere"),
            ("blog", "blog_admin", "CREATE TABLE products (id INT)", "1 TableOfOtherApp"),
            ("blog", "blog_admin", "UPDATE customers SET id = 1", ""),
            ("shop", "shop_db", "UPDATE customers SET id = 1", "1 StatementElsewhere"),
            ("shop", "shop_db", "SELECT 1; COMMIT", "1 TransactionControl"),
            ("blog", "blog_admin", "SELECT 1;\nHELLO users", "2 UnreadableStatement"),
            ("blog", "blog_admin", "SELECT 'open", "1 UnreadableStatement"),
            ("blog", "blog_admin", "ALTER TABLE posts RENAME TO users", "1 StatementElsewhere"),
            ("shop", "shop_db", "CREATE TABLE nobodys (id INT REFERENCES elsewhere (id))", ""),
        ] {
            let found = lint(&routing, (app, alias), sql);
            assert_eq!(in_short(&found), expected, "{sql}");
        }
    }

    #[cfg(feature = "sqlite")]
    fn lint(routing: &Routing, (app, alias): (&str, &str), sql: &str) -> Vec<LintProblem> {
        let file = SqlFile::new("up.sql".into(), sql.to_owned());
        let migration = AppMigration::<diesel::sqlite::Sqlite> {
            id: MigrationId::new(app.into(), "1".into(), "1_x"),
            in_transaction: true,
            body: Body::Files(Box::new(Files {
                up: Sides { any: Some(file), special: Vec::new() },
                ..Files::default()
            })),
        };
        let mut linter = Linter::new(routing);
        linter.migration(routing.config().database(alias).unwrap(), &migration);
        linter.finish()
    }

    #[cfg(feature = "sqlite")]
    fn in_short(problems: &[LintProblem]) -> String {
        let lines: Vec<_> =
            problems.iter().map(|problem| format!("{} {:?}", problem.line.unwrap(), problem.code)).collect();
        lines.join(", ")
    }

    /// Orders never refer to `posts`; what is audited may be anywhere.
    #[cfg(feature = "sqlite")]
    fn related() -> Routing {
        let relations = router_core::relation_fn(|a, b, _| match (a.app, a.table, b.app, b.table) {
            (_, _, "users", Some("users")) | (_, Some("audit_log"), _, _) => Some(true),
            ("blog", _, "blog", Some("posts")) | (_, Some("orders"), "", Some("elsewhere")) => Some(false),
            _ => None,
        });
        let routers = router_core::RouterChain::default().with_named("relations", relations);
        Routing::with_routers(Config::from_yaml(FILE).unwrap(), routers).unwrap()
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn routers_decide_relations_first() {
        let routing = related();
        for (app, alias, sql, expected) in [
            // Allowed, although on another database.
            ("blog", "blog_admin", "CREATE TABLE x (u INT REFERENCES users (id))", ""),
            ("shop", "shop_db", "CREATE TABLE IF NOT EXISTS audit_log (p INT REFERENCES posts (id))", ""),
            ("shop", "shop_db", "CREATE TEMP TABLE audit_log (p INT REFERENCES posts (id))", ""),
            ("shop", "shop_db", "ALTER TABLE audit_log ADD COLUMN p INT REFERENCES posts (id)", ""),
            // Refused, although on one database, in one app, or of no app.
            (
                "blog",
                "blog_admin",
                "CREATE TABLE tags (id INT,\n p INT REFERENCES posts)",
                "2 RelationRefused",
            ),
            ("blog", "blog_admin", "ALTER TABLE tags ADD COLUMN p INT REFERENCES posts", "1 RelationRefused"),
            (
                "shop",
                "shop_db",
                "CREATE TABLE orders (id INT, FOREIGN KEY (id) REFERENCES elsewhere)",
                "1 RelationRefused",
            ),
            // Nobody has an opinion: both have to be on one database.
            ("shop", "shop_db", "CREATE TABLE x (p INT REFERENCES posts (id))", "1 ReferenceElsewhere"),
            ("shop", "shop_db", "CREATE TABLE x (p INT REFERENCES products (id))", ""),
            // The allowance is for constraints, not for statements.
            ("blog", "blog_admin", "INSERT INTO x SELECT id FROM users", "1 StatementElsewhere"),
            // Two tables on one line are two problems.
            (
                "shop",
                "shop_db",
                "CREATE TABLE x (p INT REFERENCES posts (id), c INT REFERENCES customers (id))",
                "1 ReferenceElsewhere, 1 ReferenceElsewhere",
            ),
        ] {
            assert_eq!(in_short(&lint(&routing, (app, alias), sql)), expected, "{sql}");
        }
        let refused = lint(&routing, ("blog", "blog_admin"), "CREATE TABLE tags (p INT REFERENCES posts)");
        assert_eq!(
            refused[0].message,
            "`tags` of app `blog` refers to `posts` of app `blog`, and router `relations` allows no relation between them"
        );
        assert!(refused[0].is_blocking() && refused[0].databases == ["blog_admin"]);
        assert_eq!(refused[0].table.as_deref(), Some("posts"));
    }

    /// Where a table is that a router looks for by a hint, the linter does not guess.
    #[cfg(feature = "sqlite")]
    #[test]
    fn a_missing_hint_is_said() {
        let needs = || router_core::hint_fn(|_, model, _| (model.app == "shop").then_some("tenant"));
        let routing =
            |file: &str, routers| Routing::with_routers(Config::from_yaml(file).unwrap(), routers).unwrap();
        let unclaimed = FILE.replace("apps: [shop]", "apps: []");
        let sql = "CREATE TABLE x (p INT REFERENCES products (id)); UPDATE products SET id = 1";
        let chain = router_core::RouterChain::default().with_named("tenants", needs());
        let found = lint(&routing(&unclaimed, chain.clone()), ("blog", "blog_admin"), sql);
        assert_eq!(in_short(&found), "1 NeedsHint");
        assert_eq!(
            found[0].message,
            "cannot say where `products` of app `shop` is: router `tenants` needs the hint `tenant`"
        );
        assert!(!found[0].is_blocking());
        // Without the router it would be on the default database, and so would be a reference from there.
        assert_eq!(
            in_short(&lint(&routing(&unclaimed, chain.clone()), ("users", "default"), sql)),
            "1 NeedsHint"
        );
        // The file says where it is migrated, and that is where it is.
        let found = lint(&routing(FILE, chain.clone()), ("blog", "blog_admin"), sql);
        assert_eq!(in_short(&found), "1 ReferenceElsewhere, 1 StatementElsewhere");
        // So does a router.
        let says = router_core::migrate_fn(|database, model, _| {
            (model.app == "shop").then_some(database == "shop_db" || database == "blog_admin")
        });
        let found = lint(&routing(&unclaimed, chain.with(says)), ("blog", "blog_admin"), sql);
        assert_eq!(in_short(&found), "");
    }

    #[test]
    fn many_crossings_begin_with_a_summary() {
        let app = AppLabel::from("blog");
        let problem = |table: &str, file: &str, line| {
            LintProblem::new(LintCode::StatementElsewhere, &app, "uses a table")
                .file(Path::new(file))
                .line(line)
                .table(&TableName::new(table))
        };
        let mut problems: Vec<_> = (0..15).map(|line| problem("users", "a.sql", line)).collect();
        assert_eq!(summary(&problems), [] as [String; 0]);
        problems.extend((0..5).map(|line| problem("tags", "a.sql", line)));
        problems.push(problem("users", "b.sql", 1));
        assert_eq!(
            summary(&problems),
            [
                "21 times a migration names a table of another app:",
                "  a.sql: `tags` 5 times",
                "  a.sql: `users` 15 times",
                "  b.sql: `users` 1 times",
            ]
        );
    }
}
