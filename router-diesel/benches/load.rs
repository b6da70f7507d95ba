//! How long it takes to read and check a configuration: `cargo bench -p router-diesel --bench load`.
//!
//! The bar: 10,000 databases with 100,000 apps in one second, and a tenth of them in a tenth of that.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use router_diesel::config::Config;

/// A configuration of so many databases with ten apps each; the apps of every second one are declared.
fn generate(databases: usize) -> String {
    let mut text = String::from("default: db_0\napps:\n");
    for database in (0..databases).step_by(2) {
        for app in 0..10 {
            let _ = writeln!(
                text,
                "  app_{database}_{app}: {{ tables: [table_{database}_{app}, more_{database}_{app}] }}"
            );
        }
    }
    text.push_str("databases:\n");
    for database in 0..databases {
        let apps: Vec<String> = (0..10).map(|app| format!("app_{database}_{app}")).collect();
        let _ = writeln!(
            text,
            "  db_{database}:\n    url: ${{DB_{database}_URL:-postgres://user:password@host-{database}:5432/name}}\n    \
             apps: [{}]\n    pool: {{ max_size: 20, statement_timeout: 30s }}",
            apps.join(", ")
        );
    }
    text
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for databases in [1_000, 10_000] {
        let text = generate(databases);
        group.throughput(Throughput::Elements(databases as u64));
        group.bench_with_input(BenchmarkId::new("databases", databases), &text, |bencher, text| {
            bencher.iter(|| {
                let loader = Config::loader().yaml(black_box(text.as_str()), "databases.yml");
                loader.variables([("A", "1")]).load().expect("a sound configuration")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
