//! Whether owners are read page by page, or asked for by their addresses: with the fewest calls,
//! though nobody knows how many pages there are before the last one.

/// The most owners on one page. HubSpot's limit.
pub(super) const PAGE: usize = 500;

/// The most pages that are read of a list, which are as many owners as are kept.
pub(super) const MOST_PAGES: usize = 20;

/// How far the list of a portal's owners was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The pages that were read.
    pub(super) pages: usize,
    /// How many of them this run read.
    pub(super) own: usize,
    /// How many pages there were when a list was last read to its end.
    pub(super) length: Option<usize>,
    /// The owners that were found by their addresses since the list was begun.
    pub(super) found_alone: usize,
}

impl Progress {
    /// Whether the next page is to be read, instead of asking for what is left. `needed` is how
    /// many calls asking would have taken when the run began, `left` how many it takes by now.
    ///
    /// Say that *p* pages are left when a run begins, and *n* calls are needed.
    ///
    /// - It makes at most one call more than the fewer of *p* and *n* if *p* is known, or less than
    ///   *n*: it goes on until two calls are left, and reads *n* - 1 pages at most.
    /// - Otherwise it makes 2*n* - 1 at most. Nobody can promise less: whoever stops earlier may
    ///   have stopped before the last page.
    /// - Addresses that come one by one cost at most twice the fewer of all pages and all
    ///   addresses, and one call more where there is one page: each that was found alone pays for a
    ///   page.
    pub(super) fn wants_page(self, needed: usize, left: usize) -> bool {
        if left == 0 || self.pages >= MOST_PAGES {
            return false;
        }
        let is_paid = self.own == 0 && self.found_alone > self.pages;
        let is_cheaper = match self.length {
            Some(length) => length.saturating_sub(self.pages) < left,
            None => self.own + 1 < needed && left > 2.min(self.own + 1),
        };
        is_paid || is_cheaper
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A portal of so many pages, and on which of them the owner of each address is; on none where
    /// an address is nobody's.
    #[derive(Clone, Debug)]
    struct Portal {
        pages: usize,
        places: Vec<usize>,
    }

    fn portal(most_pages: usize, most_addresses: usize) -> impl Strategy<Value = Portal> {
        (1..=most_pages, 0..=most_pages).prop_flat_map(move |(pages, strangers)| {
            let places = prop::collection::vec(0..pages + strangers, 1..=most_addresses);
            places.prop_map(move |places| Portal { pages, places })
        })
    }

    impl Portal {
        /// Looks addresses up in one run. Returns the calls that it takes.
        fn look_up(&self, addresses: &[usize], progress: &mut Progress) -> usize {
            let (mut calls, start) = (0, progress.pages);
            let left = |pages: usize| {
                let is_left = |address: &&usize| self.places[**address] >= pages;
                if pages == self.pages { 0 } else { addresses.iter().filter(is_left).count() }
            };
            let needed = left(start);
            progress.own = 0;
            while progress.wants_page(needed, left(progress.pages)) {
                progress.pages += 1;
                progress.own += 1;
                calls += 1;
            }
            let left = left(progress.pages);
            progress.found_alone += left;
            calls + left
        }

        fn look_up_at_once(&self, length: Option<usize>) -> usize {
            let mut progress = Progress { length, ..Progress::default() };
            let addresses: Vec<_> = (0..self.places.len()).collect();
            self.look_up(&addresses, &mut progress)
        }

        /// The calls of somebody who knows the portal beforehand.
        fn fewest(&self) -> usize {
            self.pages.min(self.places.len())
        }
    }

    proptest! {
        #[test]
        fn a_run_makes_one_call_more_than_the_fewest_at_most(portal in portal(MOST_PAGES, 60)) {
            let (pages, addresses) = (portal.pages, portal.places.len());
            let calls = portal.look_up_at_once(None);
            if pages < addresses {
                prop_assert!(calls <= portal.fewest() + 1, "{calls}");
            } else {
                prop_assert!(calls < 2 * addresses, "{calls}");
            }
        }

        #[test]
        fn a_run_that_knows_how_many_pages_there_are_makes_the_fewest(portal in portal(MOST_PAGES, 60)) {
            let calls = portal.look_up_at_once(Some(portal.pages));
            prop_assert!(calls <= portal.fewest(), "{calls}");
        }

        #[test]
        fn addresses_one_by_one_take_twice_the_fewest_calls_at_most(portal in portal(MOST_PAGES, 60)) {
            let mut progress = Progress::default();
            let mut calls = 0;
            for address in 0..portal.places.len() {
                calls += portal.look_up(&[address], &mut progress);
            }
            prop_assert!(calls <= 2 * portal.fewest(), "{calls}");
        }

        #[test]
        fn a_large_portal_is_not_read_to_its_end(addresses in 1..2_000_usize) {
            let portal = Portal { pages: 200, places: vec![199; addresses] };
            prop_assert!(portal.look_up_at_once(None) <= addresses + MOST_PAGES);
        }
    }

    #[test]
    fn whoever_does_not_know_how_many_pages_there_are_can_promise_no_less() {
        for addresses in 1..30_usize {
            let mut least = usize::MAX;
            // Somebody reads so many pages, finds nobody on them, and asks then.
            for stops_after in 0..60 {
                let more_than_fewest = |pages: usize| {
                    let calls = if pages <= stops_after { pages } else { stops_after + addresses };
                    calls - pages.min(addresses)
                };
                least = least.min((1..60).map(more_than_fewest).max().unwrap_or_default());
            }
            assert_eq!(least, addresses - 1);
            let worst = Portal { pages: addresses, places: vec![addresses; addresses] };
            assert!(worst.look_up_at_once(None) - addresses <= least, "{addresses}");
        }
    }
}
