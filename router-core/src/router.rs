//! The trait that decides, and the router that never does.

use std::fmt::Debug;

use crate::{Alias, Hints, Model, Operation, Reason};

/// Says which database a model belongs to, as far as it has an opinion.
///
/// Every method answers `None` unless written otherwise: "no opinion, ask the next router". The first `Some`
/// decides, `Some(false)` included. A panic is no answer and reaches the caller.
///
/// ```
/// use router_core::{Alias, Hints, Model, Operation, Router, RouterChain};
///
/// /// Reads of the archive go to a database of their own.
/// #[derive(Debug)]
/// struct ArchiveRouter;
///
/// impl Router for ArchiveRouter {
///     fn db_for_read(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
///         (model.app == "archive").then(|| Alias::new("archive_db"))
///     }
/// }
///
/// let chain = RouterChain::new("default").with(ArchiveRouter);
/// let decision = chain.route(Operation::Read, &Model::app("archive"), &Hints::default());
/// assert_eq!(decision.alias(), "archive_db");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Router`",
    label = "implement `Router` for it, or wrap a closure in `read_fn`, `write_fn`, `migrate_fn`, `relation_fn` or `hint_fn`",
    note = "every method of `Router` has a default, so an implementation writes only what it has an opinion on"
)]
pub trait Router: Debug + Send + Sync {
    /// The database to read the model from.
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        let _ = (model, hints);
        None
    }

    /// The database to write the model to.
    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        let _ = (model, hints);
        None
    }

    /// Whether rows of the one model may refer to rows of the other.
    fn allow_relation(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        let _ = (a, b, hints);
        None
    }

    /// Whether the model's migrations run on the database.
    fn allow_migrate(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        let _ = (database, model, hints);
        None
    }

    /// The hint that this router needs before it can answer a read or a write, such as `tenant`.
    ///
    /// A chain asks this only after the router had no opinion. If the router names a hint, the chain stops there: it asks
    /// no other router and falls back to no database, and the statement fails with an error that names the router and
    /// the hint. Return `None` when the model is not this router's business, or when the hint is there.
    ///
    /// The operation is a read or a write; a statement that changes the schema counts as a write.
    ///
    /// ```
    /// use router_core::{Alias, Hints, Model, Operation, Router, RouterChain};
    ///
    /// struct Tenant(&'static str);
    ///
    /// /// Each tenant has a database of its own.
    /// #[derive(Debug)]
    /// struct ByTenant;
    ///
    /// impl Router for ByTenant {
    ///     fn db_for_read(&self, _: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
    ///         hints.get::<Tenant>().map(|tenant| Alias::new(tenant.0))
    ///     }
    ///
    ///     fn missing_hint(&self, _: Operation, _: &Model<'_>, hints: &Hints<'_>) -> Option<&'static str> {
    ///         hints.get::<Tenant>().is_none().then_some("tenant")
    ///     }
    /// }
    ///
    /// let chain = RouterChain::new("default").with(ByTenant);
    /// let error = chain.try_route(Operation::Read, &Model::app("blog"), &Hints::default()).unwrap_err();
    /// assert_eq!(error.to_string(), "router `ByTenant` needs the hint `tenant`");
    /// ```
    fn missing_hint(
        &self,
        operation: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Option<&'static str> {
        let _ = (operation, model, hints);
        None
    }

    /// Why this router answers as it does, or why it has no opinion.
    ///
    /// Asked only after the answer itself, and only where an explanation is wanted, so it may take its time.
    /// For [`Operation::Migrate`] the database in question is [`Hints::database`]. With `None` the explanation
    /// just names the router.
    fn reason(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<Reason> {
        let _ = (operation, model, hints);
        None
    }
}

/// A router without opinions.
///
/// ```
/// use router_core::{Hints, Model, NoRouter, Router};
///
/// assert_eq!(NoRouter.db_for_read(&Model::app("blog"), &Hints::default()), None);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRouter;

impl Router for NoRouter {}
