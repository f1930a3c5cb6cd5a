//! Deletes letters, which are saved first if that is asked for.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, anyhow, bail};

use super::Arguments;
use super::keeping::{Keeper, keep_all};
use super::letters::{Fate, Item};
use super::listing::list;
use super::visit::{AT_ONCE, Visit, say};
use crate::cli::shared::{self, UsedWrongly};
use crate::cli::terminal::count;
use crate::time::Time;

/// Refuses to delete everything in a script that names neither a filter nor `--all`. Returns whether
/// a person has to be asked.
pub(super) fn asks(arguments: &Arguments) -> Result<bool> {
    if arguments.all || !arguments.filter.selects_all() {
        return Ok(false);
    }
    let is_person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if is_person && !arguments.json {
        return Ok(true);
    }
    let why = "--discard deletes what --source, --reason, --id, --older-than and --newer-than \
               select; to delete every letter, add --all.";
    bail!(UsedWrongly(why.to_owned()))
}

/// Deletes the selected letters, round after round, because SQS gives out some messages of a group
/// only when the earlier ones are deleted. Fails when one of them stays.
pub(super) async fn discard(
    visit: &mut Visit<'_>,
    arguments: &Arguments,
    mut keeper: Option<Keeper>,
) -> Result<()> {
    let asks = asks(arguments)?;
    let started = Time::now();
    let (mut deleted, mut stay) = (0, 0);
    loop {
        let mut items = visit.receive().await?;
        // Nobody has seen what came meanwhile.
        items.retain(|item| item.received.sent <= Some(started));
        if items.is_empty() {
            break;
        }
        if !arguments.json {
            shared::print(&list(&items, arguments.all))?;
        }
        if asks && !says_yes(items.len())? {
            stay += items.len();
            break;
        }
        let all = deleted + stay + items.len();
        while !items.is_empty() {
            let some: Vec<_> = items.drain(..items.len().min(AT_ONCE)).collect();
            let fates = delete(visit, keeper.as_mut(), &some).await;
            let gone = fates.iter().filter(|fate| matches!(fate, Fate::Gone(_))).count();
            (deleted, stay) = (deleted + gone, stay + some.len() - gone);
            if arguments.json {
                visit.progress.clear();
                let lines = some.iter().zip(&fates).map(|(item, fate)| item.json_line(fate));
                shared::print(&lines.collect::<String>())?;
            }
            let done = count(deleted + stay);
            visit.progress.show(&format!("{done} of {} letters deleted", count(all)));
        }
        visit.progress.clear();
    }
    let saved = if keeper.is_some() { "saved and deleted" } else { "deleted" };
    let text = format!("{} {saved}, {} stay.\n", count(deleted), count(stay));
    say(&text, arguments.json)?;
    visit.report_waiting(arguments.json).await?;
    if stay > 0 && !asks {
        bail!("Not every letter could be deleted; the reasons are above.");
    }
    Ok(())
}

/// Deletes letters, of which only those that could be saved if there is a folder for them. Returns
/// the fate of each.
async fn delete(visit: &mut Visit<'_>, keeper: Option<&mut Keeper>, some: &[Item]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for _ in some {
        fates.push(Fate::Gone("deleted".to_owned()));
    }
    if let Some(keeper) = keeper {
        for (fate, kept) in fates.iter_mut().zip(keep_all(keeper, some)) {
            if let Err(why) = kept {
                *fate = Fate::Stays(format!("it can't be saved: {why:#}"));
            }
        }
    }
    let mut places = Vec::new();
    let mut messages = Vec::new();
    for (place, item) in some.iter().enumerate() {
        if matches!(fates[place], Fate::Gone(_)) {
            places.push(place);
            messages.push(item.received.clone());
        }
    }
    for (place, result) in places.into_iter().zip(visit.delete(&messages).await) {
        if let Err(why) = result {
            eprintln!("{} can't be deleted: {why}.", some[place].short_id());
            fates[place] = Fate::Stays(why.to_string());
        }
    }
    fates
}

/// Asks the person at the terminal.
fn says_yes(letters: usize) -> Result<bool> {
    eprint!("Delete these {} letters for good? [y/N] ", count(letters));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| anyhow!("No answer: {error}."))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
