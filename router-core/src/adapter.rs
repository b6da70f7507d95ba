//! Closures that answer one question each.
//!
//! A closure joins a chain by name, `read_fn(|model, hints| …)`, so that a reader sees which question it answers.

use std::fmt;

use crate::{Alias, Hints, Model, Operation, Router};

/// A router that answers reads with a closure; [`read_fn`] makes it.
#[derive(Clone, Copy)]
pub struct ReadFn<F>(F);

/// A router that answers writes with a closure; [`write_fn`] makes it.
#[derive(Clone, Copy)]
pub struct WriteFn<F>(F);

/// A router that answers on migrations with a closure; [`migrate_fn`] makes it.
#[derive(Clone, Copy)]
pub struct MigrateFn<F>(F);

/// A router that answers on relations with a closure; [`relation_fn`] makes it.
#[derive(Clone, Copy)]
pub struct RelationFn<F>(F);

/// A router that says with a closure which hint is missing; [`hint_fn`] makes it.
#[derive(Clone, Copy)]
pub struct HintFn<F>(F);

/// Answers reads with a closure.
///
/// ```
/// use router_core::{Alias, Hints, Model, Operation, RouterChain, read_fn};
///
/// let chain = RouterChain::new("default")
///     .with_named("archive", read_fn(|model, _| (model.app == "archive").then(|| Alias::new("archive_db"))));
/// assert_eq!(chain.route(Operation::Read, &Model::app("archive"), &Hints::default()).alias(), "archive_db");
/// ```
pub fn read_fn<F>(answer: F) -> ReadFn<F>
where
    F: Fn(&Model<'_>, &Hints<'_>) -> Option<Alias> + Send + Sync,
{
    ReadFn(answer)
}

/// Answers writes with a closure.
///
/// ```
/// use router_core::{Alias, Hints, Model, Router, write_fn};
///
/// let audit = write_fn(|model, _| (model.app == "audit").then(|| Alias::new("audit_db")));
/// assert_eq!(audit.db_for_write(&Model::app("audit"), &Hints::default()), Some(Alias::new("audit_db")));
/// assert_eq!(audit.db_for_read(&Model::app("audit"), &Hints::default()), None);
/// ```
pub fn write_fn<F>(answer: F) -> WriteFn<F>
where
    F: Fn(&Model<'_>, &Hints<'_>) -> Option<Alias> + Send + Sync,
{
    WriteFn(answer)
}

/// Answers on migrations with a closure that is given the database, the model and the hints.
///
/// ```
/// use router_core::{Alias, Hints, Model, Router, migrate_fn};
///
/// let frozen = migrate_fn(|database, _, _| (database == "archive").then_some(false));
/// assert_eq!(frozen.allow_migrate(&Alias::new("archive"), &Model::app("blog"), &Hints::default()), Some(false));
/// ```
pub fn migrate_fn<F>(answer: F) -> MigrateFn<F>
where
    F: Fn(&Alias, &Model<'_>, &Hints<'_>) -> Option<bool> + Send + Sync,
{
    MigrateFn(answer)
}

/// Answers on relations with a closure that is given both models and the hints.
///
/// ```
/// use router_core::{Hints, Model, Router, relation_fn};
///
/// let audit = relation_fn(|a, b, _| (a.app == "audit" || b.app == "audit").then_some(true));
/// assert_eq!(audit.allow_relation(&Model::app("audit"), &Model::app("blog"), &Hints::default()), Some(true));
/// ```
pub fn relation_fn<F>(answer: F) -> RelationFn<F>
where
    F: Fn(&Model<'_>, &Model<'_>, &Hints<'_>) -> Option<bool> + Send + Sync,
{
    RelationFn(answer)
}

/// Says with a closure which hint a read or a write needs, and has no opinion on anything itself.
///
/// Put it after the closures that answer when the hint is there.
///
/// ```
/// use router_core::{Alias, Hints, Model, Operation, RouterChain, hint_fn, read_fn};
///
/// struct Tenant(&'static str);
///
/// let chain = RouterChain::new("default")
///     .with_named("tenants", read_fn(|_, hints| hints.get::<Tenant>().map(|tenant| Alias::new(tenant.0))))
///     .with_named("tenants", hint_fn(|_, _, hints| hints.get::<Tenant>().is_none().then_some("tenant")));
/// let route = |hints| chain.try_route(Operation::Read, &Model::app("blog"), &hints);
///
/// assert_eq!(route(Hints::default().extension(&Tenant("acme"))).unwrap().alias(), "acme");
/// assert_eq!(route(Hints::default()).unwrap_err().to_string(), "router `tenants` needs the hint `tenant`");
/// ```
pub fn hint_fn<F>(missing: F) -> HintFn<F>
where
    F: Fn(Operation, &Model<'_>, &Hints<'_>) -> Option<&'static str> + Send + Sync,
{
    HintFn(missing)
}

impl<F> Router for ReadFn<F>
where
    F: Fn(&Model<'_>, &Hints<'_>) -> Option<Alias> + Send + Sync,
{
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        (self.0)(model, hints)
    }
}

impl<F> Router for WriteFn<F>
where
    F: Fn(&Model<'_>, &Hints<'_>) -> Option<Alias> + Send + Sync,
{
    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        (self.0)(model, hints)
    }
}

impl<F> Router for MigrateFn<F>
where
    F: Fn(&Alias, &Model<'_>, &Hints<'_>) -> Option<bool> + Send + Sync,
{
    fn allow_migrate(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        (self.0)(database, model, hints)
    }
}

impl<F> Router for RelationFn<F>
where
    F: Fn(&Model<'_>, &Model<'_>, &Hints<'_>) -> Option<bool> + Send + Sync,
{
    fn allow_relation(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        (self.0)(a, b, hints)
    }
}

impl<F> Router for HintFn<F>
where
    F: Fn(Operation, &Model<'_>, &Hints<'_>) -> Option<&'static str> + Send + Sync,
{
    fn missing_hint(
        &self,
        operation: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Option<&'static str> {
        (self.0)(operation, model, hints)
    }
}

macro_rules! debug_by_name {
    ($($adapter:ident)*) => {$(
        impl<F> fmt::Debug for $adapter<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($adapter))
            }
        }
    )*};
}

debug_by_name!(ReadFn WriteFn MigrateFn RelationFn HintFn);
