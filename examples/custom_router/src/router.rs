//! The router, and what its tests promise.

use router_core::{Alias, Hints, Model, Operation, Reason, Router};

/// Keeps what is analysed away from what is sold: the app `events` lives on `analytics`, and nothing else does.
#[derive(Debug)]
pub(crate) struct AnalyticsRouter;

impl Router for AnalyticsRouter {
    fn db_for_read(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
        // `None` is no opinion: the next router is asked, and the rules of the file come last.
        (model.app == "events").then(|| Alias::new("analytics"))
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.db_for_read(model, hints)
    }

    fn allow_migrate(&self, database: &Alias, model: &Model<'_>, _: &Hints<'_>) -> Option<bool> {
        match (model.app == "events", *database == "analytics") {
            (false, false) => None,
            (is_event, is_analytics) => Some(is_event && is_analytics),
        }
    }

    /// Only an explanation asks for this. It completes "because …".
    fn reason(&self, _: Operation, model: &Model<'_>, _: &Hints<'_>) -> Option<Reason> {
        (model.app == "events").then(|| Reason::stated("events are analysed apart from the shop"))
    }
}

#[cfg(test)]
mod tests {
    use router_core::testing;

    use super::*;

    #[test]
    fn it_keeps_what_every_router_should() {
        let models = [Model::app("events"), Model::new("events", "page_views"), Model::app("shop")];
        testing::is_deterministic(&AnalyticsRouter, &models);
        testing::agrees_when_wrapped(AnalyticsRouter, &models);
        testing::answers_only(&AnalyticsRouter, &["analytics".into()], &models);
        testing::reads_where_it_writes(&AnalyticsRouter, &models);
    }

    #[test]
    fn it_stays_out_of_what_is_not_its_business() {
        testing::abstains_on(&AnalyticsRouter, &[Model::app("shop"), Model::new("legacy", "customers")]);
    }

    #[test]
    fn events_are_migrated_on_analytics_and_nothing_else_is() {
        let allows = |database: &str, app| {
            AnalyticsRouter.allow_migrate(&database.into(), &Model::app(app), &Hints::default())
        };
        assert_eq!(allows("analytics", "events"), Some(true));
        assert_eq!(allows("default", "events"), Some(false));
        assert_eq!(allows("analytics", "shop"), Some(false));
        assert_eq!(allows("default", "shop"), None);
    }
}
