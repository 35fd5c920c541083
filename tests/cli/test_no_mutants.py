"""The broken variants (src/base/mutant.hpp) exist in a build of their own: nothing of them is in the program."""
import pathlib
import re
import unittest

from kit import CLEAT

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
NAME = re.compile(r'mutant\("([a-z_]+)"\)')


class NoMutants(unittest.TestCase):
    def test_the_program_has_no_broken_variant(self):
        names = {name for path in SOURCES.rglob("*.[ch]pp") for name in NAME.findall(path.read_text())}
        self.assertGreaterEqual(len(names), 25)
        program = pathlib.Path(CLEAT).read_bytes()
        self.assertEqual([name for name in sorted(names) if b"\0" + name.encode() + b"\0" in program], [])
        self.assertNotIn(b"CLEAT_MUTANT", program)


if __name__ == "__main__":
    unittest.main()
