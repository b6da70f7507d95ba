//! What a pick among three replicas costs: `cargo bench -p router-diesel --bench balance`.
//!
//! The bar: 50 ns for `round_robin` and `weighted` while a second thread picks as fast as it can. With two threads, the
//! time is that of one pick as each of the two sees it.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_diesel::cluster::{Balance, Candidate, LeastConnections, Random, RoundRobin, Weighted};

/// How long the slowest of so many threads takes for so many picks each.
fn picks(policy: &dyn Balance, candidates: &[Candidate], threads: usize, count: u64) -> Duration {
    let barrier = Barrier::new(threads);
    let run = || {
        barrier.wait();
        let start = Instant::now();
        for _ in 0..count {
            black_box(policy.pick(black_box(candidates)));
        }
        start.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a pick does not panic"))
            .max()
            .unwrap_or_default()
    })
}

fn pick(criterion: &mut Criterion) {
    let candidates = [("a", 3), ("b", 1), ("c", 2)].map(|(alias, weight)| Candidate::new(alias, weight));
    let policies: [(&str, Box<dyn Balance>); 4] = [
        ("round_robin", Box::new(RoundRobin::default())),
        ("random", Box::new(Random)),
        ("weighted", Box::new(Weighted::default())),
        ("least_connections", Box::new(LeastConnections::default())),
    ];
    let mut group = criterion.benchmark_group("pick");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(30);
    for (name, policy) in policies {
        for threads in [1, 2] {
            group.bench_function(BenchmarkId::new(name, format!("{threads} threads")), |bencher| {
                bencher.iter_custom(|count| picks(&*policy, &candidates, threads, count));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pick);
criterion_main!(benches);
