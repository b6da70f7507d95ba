//! What can be typed about whole databases.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::migrate::{LockWait, Selection};

/// The commands that make, remove or fill databases. None of them touches a replica.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Create the databases that are not there yet
    Create(CreateArguments),
    /// Remove databases, with everything in them
    Drop(DropArguments),
    /// Create, migrate and seed
    Setup(SetupArguments),
    /// Drop, then set up
    Reset(ResetArguments),
    /// Sow the SQL files of databases and apps, each once
    Seed(SeedArguments),
    /// Write schemas to files, or load them from there
    #[command(subcommand)]
    Schema(SchemaCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Write each database's schema to a file, in a form that diffs well
    Dump(DumpArguments),
    /// Load each database's schema from its file, and record the migrations that it names
    Load(LoadArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Debug, Args)]
pub(crate) struct DropArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Do it also in production, where others are connected, and where records would be lost
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct SetupArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) seeds: Seeds,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArguments {
    #[command(flatten)]
    pub(crate) setup: SetupArguments,
    /// Do it also in production, where others are connected, and where records would be lost
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SeedArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) seeds: Seeds,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

/// Where seeds are.
#[derive(Debug, Args)]
pub(crate) struct Seeds {
    /// The folder with a folder of seeds for each database and app [default: seeds]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) seeds: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The folder of the files, each named after its database
    #[arg(long, value_name = "FOLDER", default_value = "schema")]
    pub(crate) folder: PathBuf,
    /// Write the rows of this table too, such as those that migrations wrote; may be repeated
    #[arg(long, value_name = "TABLE")]
    pub(crate) data: Vec<String>,
    /// Write grants too, on PostgreSQL; the server that loads the file needs its roles
    #[arg(long)]
    pub(crate) grants: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The folder of the files, each named after its database
    #[arg(long, value_name = "FOLDER", default_value = "schema")]
    pub(crate) folder: PathBuf,
    /// Do it also in production, and beside tables that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Record also the migrations that wrote rows or grants which the file lacks
    #[arg(long)]
    pub(crate) record_incomplete: bool,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}
