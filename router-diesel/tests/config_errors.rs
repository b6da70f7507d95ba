//! Every error code is in `docs/errors.md` with an example that produces it, and is told well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use router_diesel::config::{Code, Config, ConfigError, Engine, Problem};

/// A file of an example, with what its fence says beside the language.
struct Block {
    info: String,
    text: String,
}

fn documentation() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    fs::read_to_string(path).expect("docs/errors.md")
}

/// The blocks of the documentation by the code under whose heading they stand.
fn examples() -> BTreeMap<String, Vec<Block>> {
    let mut examples: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    let mut code = String::new();
    let mut open = false;
    for line in documentation().lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            code = heading.to_owned();
            examples.entry(code.clone()).or_default();
        } else if let Some(fence) = line.strip_prefix("```") {
            open = !open;
            if open {
                let info = fence.split_once(' ').map_or("", |(_, info)| info).to_owned();
                examples.get_mut(&code).expect("a heading").push(Block { info, text: String::new() });
            }
        } else if open {
            let block = examples.get_mut(&code).and_then(|blocks| blocks.last_mut()).expect("a block");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    examples
}

/// Loads an example from files of its own.
fn load(folder: &Path, blocks: &[Block]) -> Result<Config, ConfigError> {
    let mut variables: Vec<(&str, &str)> = Vec::new();
    let mut env_file = None;
    for (index, block) in blocks.iter().enumerate() {
        let name = if index == 0 { "databases.yml" } else { block.info.as_str() };
        fs::write(folder.join(name), &block.text).unwrap();
        match block.info.split_once('=') {
            Some(("env_file", name)) => env_file = Some(folder.join(name)),
            Some(variable) => variables.push(variable),
            None => {}
        }
    }
    let mut loader = Config::loader().file(folder.join("databases.yml")).variables(variables);
    if let Some(env_file) = env_file {
        loader = loader.env_file(env_file);
    }
    loader.load()
}

/// What an example, or an oddity that no page can show, is told of.
fn problems(code: Code, blocks: &[Block], folder: &Path) -> Vec<Problem> {
    let path = folder.join("databases.yml");
    match code {
        Code::MissingFile => {}
        Code::NotText => fs::write(&path, b"databases:\n  default: \xff\xfe\n").unwrap(),
        Code::TooLarge => {
            // A file of 50 MB that takes no room.
            fs::File::create(&path).and_then(|file| file.set_len(50 << 20)).unwrap();
        }
        _ => {
            return match load(folder, blocks) {
                Ok(config) if code == Code::EngineNotBuilt => {
                    config.unsupported_engines(|engine| engine == Engine::Sqlite)
                }
                Ok(config) => config.notes,
                Err(error) => error.problems().to_vec(),
            };
        }
    }
    let loader = Config::loader().file(&path).variables([("", "")]);
    loader.load().expect_err("no such configuration").problems().to_vec()
}

#[test]
fn every_code_is_documented_and_told_as_in_its_snapshot() {
    let examples = examples();
    for code in Code::ALL {
        let blocks = examples.get(code.as_str()).unwrap_or_else(|| panic!("docs/errors.md lacks {code}"));
        let folder = tempfile::tempdir().unwrap();
        let problems = problems(*code, blocks, folder.path());
        let codes: Vec<Code> = problems.iter().map(Problem::code).collect();
        assert!(codes.contains(code), "the example of {code} gives {codes:?}\n{problems:#?}");

        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let folder = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(code.as_str(), told.join("\n\n").replace(&folder, ""));
        });
    }
}

#[test]
fn the_documentation_has_the_titles_of_the_codes_and_no_others() {
    let documentation = documentation();
    for code in Code::ALL {
        let row = format!("| [{code}](#{}) | {} |", code.as_str().to_lowercase(), code.title());
        assert!(documentation.contains(&row), "docs/errors.md lacks the row\n{row}");
    }
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let documented: Vec<String> = examples().into_keys().collect();
    assert_eq!(documented, known);
}

#[test]
fn problems_serialize_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path(), &examples()["R012"]).unwrap_err();
    let file: PathBuf = folder.path().join("databases.yml");
    let json = serde_json::to_value(error.problems()).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "code": "R012",
            "severity": "error",
            "message": "`migrate_to` names no database",
            "label": "no database is called `defualt`",
            "place": { "file": file, "line": 5, "column": 17 },
            "related": null,
            "help": "did you mean `default`?",
        }])
    );
}
