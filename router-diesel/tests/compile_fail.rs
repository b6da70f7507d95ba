//! What must not compile, and the message that a user then reads.
//!
//! The messages list the connections that there are, so they are held for the build with all three engines:
//! `cargo test -p router-diesel --features postgres,mysql --test compile_fail`, with `TRYBUILD=overwrite` in the
//! environment to accept new ones.
#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[test]
fn writes_on_a_session_that_reads_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
