//! The keeper of dead letters, for both functions.

use std::time::Duration;

use tokio::time::Instant;

use crate::deadline;
use crate::queue::{Entry, Letter, NotSent, Queue};

/// The time that is kept free for dead letters: SQS answers within some 10 ms, and may have to be
/// asked again.
const RESERVE: Duration = Duration::from_secs(1);

/// Writes dead letters into their queue, if there is one.
pub(super) struct DeadLetters {
    queue: Option<Queue>,
}

/// A dead letter on its way.
pub(super) struct DeadLetter {
    /// Within five minutes SQS takes no other letter with this id.
    pub(super) id: String,
    pub(super) text: Text,
}

/// The text of a dead letter.
pub(super) enum Text {
    /// A letter of our own. What the queue refuses for good is written again in another form.
    Letter(Box<Letter>),
    /// The text of a letter that was written before: it goes back as it came, because `replay`
    /// would not find it in another letter.
    AsItCame(String),
}

/// The forms of a letter, in the order in which they are tried.
#[derive(Clone, Copy)]
enum Form {
    Whole,
    Ascii,
    Cut,
}

impl DeadLetters {
    pub(super) fn new(queue: Option<Queue>) -> Self {
        Self { queue }
    }

    /// Whether dead letters are kept at all.
    pub(super) fn are_kept(&self) -> bool {
        self.queue.is_some()
    }

    /// Until when there may be other work, so that there is time for dead letters.
    pub(super) fn work_until(&self, deadline: Instant) -> Instant {
        if self.are_kept() { deadline::before(deadline, RESERVE) } else { deadline }
    }

    /// Writes letters. One result for each, in their order. Where none are kept, nothing is to do.
    pub(super) async fn write(
        &self,
        letters: &[DeadLetter],
        deadline: Instant,
    ) -> Vec<Result<(), NotSent>> {
        let mut results = vec![Ok(()); letters.len()];
        let Some(queue) = &self.queue else { return results };
        let mut open: Vec<usize> = (0..letters.len()).collect();
        for form in [Form::Whole, Form::Ascii, Form::Cut] {
            let entries: Vec<_> = open.iter().map(|index| letters[*index].entry(form)).collect();
            let sent = queue.send(&entries, deadline).await;
            let mut refused = Vec::new();
            for (index, result) in open.into_iter().zip(sent) {
                let has_other_forms = matches!(letters[index].text, Text::Letter(_));
                if has_other_forms && result.as_ref().is_err_and(NotSent::is_final) {
                    refused.push(index);
                }
                results[index] = result;
            }
            if refused.is_empty() {
                break;
            }
            open = refused;
        }
        results
    }
}

impl DeadLetter {
    fn entry(&self, form: Form) -> Entry {
        let text = match (&self.text, form) {
            (Text::AsItCame(text), _) => text.clone(),
            (Text::Letter(letter), Form::Whole) => letter.to_text(),
            (Text::Letter(letter), Form::Ascii) => letter.to_ascii(),
            (Text::Letter(letter), Form::Cut) => {
                // The beginning is better than nothing.
                tracing::error!(event = letter.event, "a dead letter is too large, and cut");
                letter.cut().to_ascii()
            }
        };
        Entry::letter(&self.id, text)
    }
}
