//! The program as a part of another.

use router_cli::Program;
use router_core::{NoRouter, read_fn};

#[test]
fn a_router_is_named_by_its_type_or_by_its_project() {
    let program = Program::new().router(NoRouter).named_router("events", read_fn(|_, _| None));
    assert_eq!(
        format!("{program:?}"),
        r#"Program { routers: [("NoRouter", NoRouter), ("events", ReadFn)], hooks: [], config: None, .. }"#
    );
}

#[test]
fn help_uses_the_name_that_the_program_was_called_by() {
    let mut stdout = Vec::new();
    let _ = Program::new().run(["/usr/bin/shopctl", "routes", "--help"], &mut stdout, &mut Vec::new());
    assert!(String::from_utf8(stdout).unwrap().contains("Usage: shopctl routes"));
}

#[test]
fn variables_are_not_shown() {
    let program = Program::new().variables([("BLOG_PASSWORD", "hunter2")]);
    assert!(!format!("{program:?}").contains("hunter2"));
}
