use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::HarnessError;

/// A small shell that outlives the test process, stops its server and removes its folder.
///
/// It waits on a pipe from the test process. Dropping the guardian closes the pipe; so does the death of the
/// process, by panic, abort or SIGKILL, which no destructor survives. All ways therefore end in the same clean-up.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Hands `folder` to a guardian; `signal` is what stops at once the server whose number is in `folder/pid`.
    pub(crate) fn of(folder: &Path, signal: &str) -> Result<Self, HarnessError> {
        let shell = Command::new("sh")
            .args(["-c", include_str!("guardian.sh"), "guardian"])
            .arg(folder)
            .arg(signal)
            // Away from the folders that it removes, and from what a Ctrl-C or a test runner's time-out kills.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(HarnessError::io("start the guardian `sh`"))?;
        Ok(Self { shell })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Waiting closes the pipe first.
        let _ = self.shell.wait();
    }
}
