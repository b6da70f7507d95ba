//! What must not compile, and the message that a user then reads.

#[test]
fn writes_on_a_session_that_reads_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
