//! What must not compile, and the message that a user then reads.
//!
//! The messages list the connections that there are, so they are held for the build with all three engines:
//! `cargo test -p router-diesel --features postgres,mysql --test compile_fail`, with `TRYBUILD=overwrite` in the
//! environment to accept new ones.
#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

use std::env;
use std::process::Command;

#[test]
fn writes_on_a_session_that_reads_do_not_compile() {
    /// Overrules the flags that trybuild hands to cargo, where it is set.
    const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
    /// trybuild's own. It gives the last one to the cases and not to what they depend on, and to cargo other flags are
    /// another build: all dependencies would be built twice.
    const TRYBUILD: [&str; 6] =
        ["--cfg", "trybuild", "--verbose", "-A", "dead_code", "--diagnostic-width=140"];

    if env::var_os(FLAGS).is_some() {
        return trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    }
    // A process of its own, which begins with the variable.
    let test = std::thread::current().name().expect("a test's thread has its name").to_owned();
    let mut alone = Command::new(env::current_exe().unwrap());
    alone.args(["--exact", &test, "--nocapture"]).env(FLAGS, TRYBUILD.join("\x1f"));
    assert!(alone.status().unwrap().success());
}
