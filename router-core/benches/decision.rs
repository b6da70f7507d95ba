//! What one decision costs, with few databases and with many.
//!
//! `cargo bench -p router-core`. Each database claims ten apps. `few apps` asks about the same eight apps in turn,
//! as a service does; `all apps` asks about every app in a shuffled order, so that with many databases hardly
//! anything is in the processor's caches.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_core::{AppLabel, DatabaseRule, Hints, Model, Operation, RouterChain, RuleRouter};

const APPS_PER_DATABASE: usize = 10;

fn label(database: usize, app: usize) -> String {
    format!("app_{database}_{app}")
}

fn rules(databases: usize) -> Vec<DatabaseRule> {
    let rule = |database| {
        let apps = (0..APPS_PER_DATABASE).map(|app| AppLabel::new(&label(database, app)));
        DatabaseRule::new(format!("db_{database}")).apps(apps)
    };
    (0..databases).map(rule).collect()
}

fn chain(databases: usize) -> RouterChain {
    let rules = RuleRouter::compile("db_0", rules(databases), []).expect("no two claims are alike");
    RouterChain::new("db_0").with(rules)
}

fn shuffled_apps(databases: usize) -> Vec<String> {
    let apps = |database| (0..APPS_PER_DATABASE).map(move |app| label(database, app));
    let mut apps: Vec<_> = (0..databases).flat_map(apps).collect();
    shuffle(&mut apps);
    apps
}

/// Shuffles alike in every run.
fn shuffle(apps: &mut [String]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..apps.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = (state >> 33) as usize % (last + 1);
        apps.swap(last, other);
    }
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    for databases in [3, 1_000, 10_000] {
        let (chain, apps) = (chain(databases), shuffled_apps(databases));
        // One text for all names, read from front to back: it is the rules that are to be cold, not the questions.
        let text = apps.concat();
        let mut rest = text.as_str();
        let all: Vec<_> = apps
            .iter()
            .map(|app| {
                let (name, after) = rest.split_at(app.len());
                rest = after;
                Model::new(name, "posts")
            })
            .collect();
        let unclaimed = ["users", "sessions", "auth"].map(|app| Model::new(app, "posts"));
        for (name, models) in [("few apps", &all[..8]), ("all apps", &all[..]), ("unclaimed", &unclaimed[..])]
        {
            let hints = Hints::default();
            let mut next = 0;
            group.bench_function(BenchmarkId::new(name, databases), |bencher| {
                bencher.iter(|| {
                    next = if next + 1 < models.len() { next + 1 } else { 0 };
                    chain.route(Operation::Read, black_box(&models[next]), &hints)
                });
            });
        }
    }
    group.bench_function("model of a path", |bencher| {
        bencher.iter(|| Model::new(black_box("apps.blog"), "posts"));
    });
    let blog = AppLabel::new("apps.blog");
    group.bench_function("model of a label", |bencher| {
        bencher.iter(|| Model::of(black_box(&blog), Some("posts")));
    });
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for databases in [1_000, 10_000] {
        let rules = rules(databases);
        group.bench_function(BenchmarkId::from_parameter(databases), |bencher| {
            bencher.iter(|| RuleRouter::compile("db_0", rules.clone(), []));
        });
    }
    group.finish();
}

criterion_group!(benches, decide, compile);
criterion_main!(benches);
