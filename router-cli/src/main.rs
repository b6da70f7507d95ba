//! The `dbrouter` program: the rules of a file, and no routers beside them.

use std::process::ExitCode;

fn main() -> ExitCode {
    router_cli::main()
}
