"""The documents point to what is there: every test that docs/guarantees.md names, and every link of every page."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# `tests/real/test_kill.py: test_killed_under_load`, `tests/scenarios/order.txt`
NAMED = re.compile(r"`((?:src|sim|tests)/[\w/.]+\.(?:cpp|hpp|py|txt))(?:: ([\w ]+))?`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def has_test(path, name):
    text = path.read_text()
    if path.suffix == ".py":
        return re.search(rf"^\s*def {name}\(", text, re.M) is not None
    if path.name.endswith("_test.cpp"):
        return re.search(rf"^TEST(_F|_P)?\(\s*\w+,\s*{name}\)", text, re.M) is not None
    # A checker, a directed case or a broken build of the simulator: named by its text.
    return f'"{name}"' in text


def anchors(page):
    """What GitHub makes of the headings: lower case, blanks to hyphens, other signs gone."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class DocsTest(unittest.TestCase):
    def test_every_test_that_a_promise_names_exists(self):
        page = (ROOT / "docs" / "guarantees.md").read_text()
        promises = re.split(r"^### \d+\. ", page.split("## What a lock cannot do")[0], flags=re.M)[1:]
        self.assertEqual(len(promises), 10)
        for promise in promises:
            title = promise.splitlines()[0]
            checked = promise[promise.index("**Checked by**"):]
            self.assertGreaterEqual(len(NAMED.findall(checked)), 3, title)
            self.assertIn("**Says.**", promise)
            self.assertIn("**Needs.**", promise)
        for path, name in NAMED.findall(page):
            self.assertTrue((ROOT / path).exists(), f"docs/guarantees.md names {path}")
            if name:
                self.assertTrue(has_test(ROOT / path, name), f"docs/guarantees.md names {name} in {path}")

    def test_a_name_that_is_not_there_is_noticed(self):
        here = pathlib.Path(__file__)
        self.assertTrue(has_test(here, "test_a_name_that_is_not_there_is_noticed"))
        self.assertFalse(has_test(here, "has"))
        self.assertFalse(has_test(ROOT / "sim" / "checks.cpp", "exclus"))

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in LINK.findall(page.read_text()):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                self.assertTrue(target.exists(), f"{page.relative_to(ROOT)} points to {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{page.relative_to(ROOT)} points to {link}")


if __name__ == "__main__":
    unittest.main()
