//! Decides which database a model belongs to. No I/O, no clock, no environment.
//!
//! 1. A [`Router`] is asked about a [`Model`], an app and perhaps a table, with [`Hints`] of what the caller knows.
//! 2. It answers with an [`Alias`], the name of a database, or has no opinion.
//! 3. A [`RouterChain`] asks its routers in turn, takes the first opinion, and falls back to the default database.
//! 4. The [`RuleRouter`] is the router that follows a configuration: which database claims which apps, for what.
//! 5. The answer is a [`Decision`]: the alias, its [`Reason`], and where asked for a [`Trace`] of who said what.
//!
//! ```
//! use router_core::{DatabaseRule, Hints, Model, Operation, RouterChain, RuleRouter, read_fn};
//!
//! let rules = RuleRouter::compile(
//!     "default",
//!     [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")],
//!     [],
//! )
//! .expect("the rules agree");
//! let chain = RouterChain::new("default")
//!     .with_named("reports", read_fn(|model, _| (model.table == Some("reports")).then(|| "warehouse".into())))
//!     .with_named("rules", rules);
//!
//! let hints = Hints::default();
//! let posts = chain.route(Operation::Read, &Model::new("blog", "posts"), &hints);
//! let reports = chain.route(Operation::Read, &Model::new("blog", "reports"), &hints);
//! let users = chain.explain(Operation::Write, &Model::new("users", "users"), &hints);
//!
//! assert_eq!(posts.alias(), "blog_db");
//! assert_eq!(reports.alias(), "warehouse");
//! assert_eq!(users.to_string(), "`default`, because no database claims `users`");
//! ```
//!
//! A decision costs one hash however many databases there are, and allocates nothing.
//! With the feature `testing`, the module of that name checks that a router of your own keeps the rules.

mod alias;
mod app;
mod model;
mod operation;
mod place;
mod shard_key;

mod hints;
mod router;

mod adapter;
mod chain;
mod rule;
mod wrapper;

mod chain_error;
mod decision;
mod missing_hint;
mod name;
mod reason;
mod trace;
mod unknown_alias;

#[cfg(any(feature = "testing", test))]
pub mod testing;

pub use adapter::{
    HintFn, MigrateFn, ReadFn, RelationFn, WriteFn, hint_fn, migrate_fn, read_fn, relation_fn, write_fn,
};
pub use alias::Alias;
pub use app::AppLabel;
pub use chain::RouterChain;
pub use chain_error::ChainError;
pub use decision::{Decision, Verdict};
pub use hints::{Hints, Role};
pub use missing_hint::MissingHint;
pub use model::Model;
pub use name::RouterName;
pub use operation::{Operation, Operations, UnknownOperation};
pub use place::Place;
pub use reason::Reason;
pub use router::{NoRouter, Router};
pub use rule::{Claim, DatabaseRule, NoMigration, RuleError, RuleKey, RuleRouter, Unreachable};
pub use shard_key::ShardKey;
pub use trace::{Answer, Step, Trace};
pub use unknown_alias::UnknownAlias;
