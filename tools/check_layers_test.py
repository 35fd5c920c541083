"""The layer check itself: what it lets pass and what it refuses."""
import pathlib
import tempfile
import unittest

import check_layers


class CheckLayers(unittest.TestCase):
    def found(self, files, rules="base: lock:base server:lock"):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "rules").write_text(rules)
            (root / "src").mkdir()
            for name, text in files.items():
                path = root / "src" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check_layers.check(root / "rules", root)

    def test_downwards_passes(self):
        self.assertEqual([], self.found({"server/a.cpp": '#include "lock/b.h"\n#include "base/c.h"\n#include "server/d.h"\n'}))

    def test_upwards_is_refused_with_file_and_line(self):
        found = self.found({"lock/a.cpp": '\n#include "server/b.h"\n'})
        self.assertEqual(1, len(found))
        self.assertTrue(found[0].startswith("src/lock/a.cpp:2: lock/ may not include server/b.h"), found[0])

    def test_sideways_is_refused(self):
        self.assertEqual(1, len(self.found({"resp/a.h": '#include "net/b.h"\n'}, "base: resp:base net:base")))

    def test_a_test_may_not_include_upwards_either(self):
        self.assertEqual(1, len(self.found({"lock/a_test.cpp": '#include "server/b.h"\n'})))

    def test_the_lock_machine_has_no_clock(self):
        self.assertEqual(1, len(self.found({"lock/a.cpp": "#include <chrono>\n"})))
        self.assertEqual([], self.found({"lock/a_test.cpp": "#include <chrono>\n"}))

    def test_no_steady_clock_in_the_command_line(self):
        rules = "base: cli:base"
        self.assertEqual(1, len(self.found({"cli/a.cpp": "auto t = std::chrono::steady_clock::now();\n"}, rules)))
        self.assertEqual([], self.found({"cli/a.cpp": "// not steady_clock\n"}, rules))

    def test_a_folder_without_a_rule_is_refused(self):
        self.assertEqual(1, len(self.found({"misc/a.cpp": "\n"})))

    def test_the_slow_header_stands_in_one_file(self):
        files = {"server/a.cpp": "#include <CLI/CLI.hpp>\n", "server/b.cpp": "#include <CLI/CLI.hpp>\n"}
        self.assertEqual(1, len(self.found(files)))


if __name__ == "__main__":
    unittest.main()
