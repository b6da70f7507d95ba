//! A reference, a box or a shared pointer to a router is a router.
//!
//! Each forwards every method, and the lint below fails the build where a method of the trait is forgotten:
//! its default would silently replace the inner router's answer.

use std::sync::Arc;

use crate::{Alias, Hints, Model, Operation, Reason, Router};

macro_rules! forward {
    ($wrapper:ty) => {
        #[deny(clippy::missing_trait_methods)]
        impl<R: Router + ?Sized> Router for $wrapper {
            fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
                (**self).db_for_read(model, hints)
            }

            fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
                (**self).db_for_write(model, hints)
            }

            fn allow_relation(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
                (**self).allow_relation(a, b, hints)
            }

            fn allow_migrate(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
                (**self).allow_migrate(database, model, hints)
            }

            fn missing_hint(
                &self,
                operation: Operation,
                model: &Model<'_>,
                hints: &Hints<'_>,
            ) -> Option<&'static str> {
                (**self).missing_hint(operation, model, hints)
            }

            fn reason(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<Reason> {
                (**self).reason(operation, model, hints)
            }
        }
    };
}

forward!(&R);
forward!(Box<R>);
forward!(Arc<R>);
