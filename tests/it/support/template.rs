//! The stack of `template.yaml` on moto, so that the tests use the queues that a deployment has.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::aws;

/// The queues of a stack.
pub struct Stack {
    /// The address of the queue of updates.
    pub updates: String,
    /// The address of the queue of dead letters.
    pub dead_letters: String,
}

impl Stack {
    /// The addresses of both, that of updates first.
    pub fn both(self) -> (String, String) {
        (self.updates, self.dead_letters)
    }
}

/// Makes a stack in the durable mode. Its name is one that no other test has.
pub async fn stack(name: &str) -> Stack {
    let facts = ask(name, &[("Mode", "Durable")], json!({"look": false, "change": false})).await;
    queues(&facts)
}

/// The queues of a stack, by its outputs.
pub fn queues(facts: &Value) -> Stack {
    let output = |name: &str| facts["outputs"][name].as_str().expect("an output").to_owned();
    Stack { updates: output("QueueUrl"), dead_letters: output("DeadLetterUrl") }
}

/// Makes a stack with these parameters, and tells all that is to know about it, as `template.py`
/// says it.
pub async fn facts(name: &str, parameters: &[(&str, &str)]) -> Value {
    ask(name, parameters, json!({"look": true, "change": false})).await
}

/// Changes the parameters of a stack that is there, and tells the same.
pub async fn change(name: &str, parameters: &[(&str, &str)]) -> Value {
    ask(name, parameters, json!({"look": true, "change": true})).await
}

async fn ask(name: &str, parameters: &[(&str, &str)], mut request: Value) -> Value {
    let secrets = ("WebhookSecrets", "taskhook/github,taskhook/jira");
    let parameters =
        parameters.iter().chain([&secrets]).map(|(name, value)| ((*name).to_owned(), json!(value)));
    let parameters: serde_json::Map<_, _> = parameters.collect();
    request["name"] = json!(name);
    request["parameters"] = json!(parameters);
    let moto = aws::moto().await;
    // Python is waited for in a thread of its own, so that the runtime of the test is not blocked.
    let answer = tokio::task::spawn_blocking(move || {
        let mut maker = MAKER.lock().expect("no panic");
        maker.get_or_insert_with(|| Maker::start(&moto)).ask(&request)
    });
    answer.await.expect("a stack")
}

/// A Python process that makes stacks. It ends when this process does, since it then finds its
/// standard input closed.
struct Maker {
    _process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static MAKER: Mutex<Option<Maker>> = Mutex::new(None);

impl Maker {
    fn start(moto: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut process = Command::new(format!("{root}/.venv/bin/python"))
            .args([&format!("{root}/tests/it/template.py"), moto])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts; `make setup` installs what it needs");
        let requests = process.stdin.take().expect("standard input");
        let answers = BufReader::new(process.stdout.take().expect("standard output"));
        Self { _process: process, requests, answers }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("python reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("python answers");
        serde_json::from_str(&line).expect("the stack is made")
    }
}
