"""Installs into an empty folder, and builds and runs the examples against what is there."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "real"))
from node import CLEAT, ROOT, Node  # noqa: E402

BUILD = CLEAT.parent
LAUNCHER = [path for path in [shutil.which("ccache")] if path]
CCACHE = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={path}" for path in LAUNCHER]


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Installed(unittest.TestCase):
    """Installed once, then moved: what is installed must not know where it was put."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="cleat-install-")
        cls.addClassCleanup(folder.cleanup)
        cls.place = pathlib.Path(folder.name)
        run("cmake", "--install", BUILD, "--prefix", cls.place / "first")
        cls.prefix = (cls.place / "first").rename(cls.place / "prefix")
        cls.environment = {k: v for k, v in os.environ.items() if not k.startswith("CLEAT_")}
        cls.environment["PKG_CONFIG_PATH"] = str(next(cls.prefix.rglob("cleat.pc")).parent)
        cls.sources = cls.prefix / "share/doc/cleat/examples"
        cls.built = cls.place / "examples"
        cls.build_examples(cls.prefix, cls.built)
        cls.node = Node(cls.place / "data").start()
        cls.addClassCleanup(cls.node.kill)

    @classmethod
    def build_examples(cls, prefix, folder):
        run("cmake", "-S", cls.sources, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", *CCACHE)
        run("ninja", "-C", folder, env=cls.cached(cls.place))

    @staticmethod
    def cached(base):
        """For ccache: what was compiled at another place below another folder is the same."""
        return {**os.environ, "CCACHE_BASEDIR": str(base), "CCACHE_NOHASHDIR": "1"}

    def test_what_is_installed(self):
        found = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        public = {f"include/cleat/{path.name}" for path in (ROOT / "include/cleat").glob("*.hpp")}
        self.assertEqual({path for path in found if path.startswith("include/")}, public)
        self.assertLessEqual({"bin/cleat", "share/doc/cleat/examples/run_once.cpp"}, found)
        completion = {"share/bash-completion/completions/cleat", "share/zsh/site-functions/_cleat"}
        self.assertLessEqual(completion | {f"share/man/man1/{path.name}" for path in (ROOT / "docs/man").iterdir()}, found)
        for path in completion:
            self.assertIn("cluster", (self.prefix / path).read_text())
        version = run(self.prefix / "bin/cleat", "--version").split()[1]
        self.assertEqual(run("pkg-config", "--modversion", "cleat", env=self.environment).strip(), version)

    def test_the_library_depends_on_nothing_of_the_server(self):
        archive = next(self.prefix.rglob("libcleat.a"))
        undefined = run("nm", "--undefined-only", "--demangle", archive)
        self.assertNotRegex(undefined, r"fmt::|spdlog::|cleat_engine|cleat::(lock|raft|replica|server)::| (SSL|EVP|XXH)")
        needed = run("ldd", self.built / "run_once")
        self.assertNotRegex(needed, r"libfmt|libspdlog|libssl|libcrypto")

    def test_each_header_stands_alone_and_pkg_config_is_enough(self):
        cflags = run("pkg-config", "--cflags", "cleat", env=self.environment).split()
        alone = self.place / "alone.cpp"
        for header in sorted((self.prefix / "include/cleat").glob("*.hpp")):
            alone.write_text(f"#include <cleat/{header.name}>\n")
            run(*LAUNCHER, "g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-c", alone, "-o", alone.with_suffix(".o"), *cflags,
                cwd=self.place, env=self.cached(self.place))
        made = self.place / "with_pkg_config"
        flags = run("pkg-config", "--cflags", "--libs", "cleat", env=self.environment).split()
        run("g++", "-std=c++20", self.sources / "run_once.cpp", "-o", made, *flags)
        self.assertIn("made here", self.run_once(made, "pkg-config"))

    def test_a_package_of_another_minor_version_is_refused(self):
        asks = self.place / "asks"
        asks.mkdir()
        (asks / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(asks CXX)\nfind_package(cleat 0.9 REQUIRED)\n")
        done = subprocess.run(["cmake", "-S", asks, "-B", asks / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}"], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("version: 0.1.0", done.stderr)

    def test_the_library_alone_and_shared_needs_nothing_but_a_compiler(self):
        build, prefix, built = self.place / "alone", self.place / "shared", self.place / "with_shared"
        without = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ("fmt", "spdlog", "OpenSSL")]
        run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCLEAT_LIBRARY_ONLY=ON", "-DBUILD_SHARED_LIBS=ON", *without)
        run("ninja", "-C", build, "cleat_library", env=self.cached(ROOT))
        run("cmake", "--install", build, "--prefix", prefix, "--component", "library")
        self.build_examples(prefix, built)
        self.assertIn("\tlibcleat.so.0.1 => ", run("ldd", built / "run_once"))
        self.assertIn("made here", self.run_once(built / "run_once", "shared"))
        exported = run("nm", "-D", "--demangle", "--defined-only", next(prefix.rglob("libcleat.so"))).splitlines()
        self.assertEqual([line for line in exported if "cleat::" not in line or re.search(r" [TWVBD] cleat::(client|base)::", line)], [])

    def test_the_service_in_memory_as_the_guide_has_it(self):
        folder = self.place / "testing"
        folder.mkdir()
        (folder / "testing.cpp").write_text(re.search(r"```cpp\n(// testing\.cpp.*?)```", (ROOT / "docs/library.md").read_text(), re.S).group(1))
        asks = (ROOT / "docs/install.md").read_text()
        asks = "".join(line.strip() + "\n" for line in asks.splitlines() if "COMPONENTS testing" in line or "cleat::testing)" in line)
        self.assertEqual(asks.count("\n"), 2, asks)
        (folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(asks CXX)\nadd_executable(program testing.cpp)\n" + asks)
        run("cmake", "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}", *CCACHE)
        run("ninja", "-C", folder / "build", env=self.cached(self.place))
        self.assertEqual(run(folder / "build/program"), "all is as expected\n")
        flags = run("pkg-config", "--libs", "cleat-testing", env=self.environment).split()
        run("g++", *(folder / "build/CMakeFiles/program.dir").glob("*.o"), "-o", folder / "linked", *flags)
        self.assertEqual(run(folder / "linked"), "all is as expected\n")

    def sales(self, name):
        path = self.place / f"{name}.sales"
        path.write_text("1\n2\n39\n")
        return path

    def run_once(self, program, name):
        return run(program, self.node.url, self.sales(name), self.place / f"{name}.report")

    def start(self, program, *arguments, **more):
        process = subprocess.Popen([str(self.built / program), self.node.url, *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_the_job_is_done_once(self):
        sales, report = self.sales("fleet"), self.place / "fleet.report"
        said = [process.communicate(timeout=30) for process in [self.start("run_once", sales, report) for _ in range(3)]]
        self.assertEqual(sorted(out for out, _ in said), ["made by another machine\n"] * 2 + ["made here\n"], said)
        self.assertRegex(report.read_text(), r"^sum 42, fence \d+\n$")

    def test_the_next_in_line_does_the_job_of_one_that_died(self):
        sales, report = self.place / "pipe.sales", self.place / "pipe.report"
        os.mkfifo(sales)
        first = self.start("run_once", sales, report)
        feed = open(sales, "w")  # opens when the first one reads, so it holds the lock
        second = self.start("run_once", sales, report)
        self.node.wait_info("waiters", "1")
        first.kill()
        first.wait()
        feed.close()
        with open(sales, "w") as feed:  # and now the second one
            feed.write("1\n2\n39\n")
        self.assertEqual(second.communicate(timeout=30), ("made here\n", ""))
        self.assertIn("sum 42", report.read_text())

    def test_workers_of_two_programs_book_all(self):
        folder = self.place / "accounts"
        folder.mkdir()
        bookings = "".join(f"account{i % 5} {i}\n" for i in range(400))
        pools = [self.start("worker_pool", folder, 4, stdin=subprocess.PIPE) for _ in range(2)]
        for pool in pools:
            pool.stdin.write(bookings)
        for pool in pools:
            _, said = pool.communicate(timeout=60)
            self.assertEqual((pool.returncode, said), (0, ""))
        for account in range(5):
            balance = int((folder / f"account{account}").read_text().split()[0])
            self.assertEqual(balance, 2 * sum(range(account, 400, 5)))


if __name__ == "__main__":
    unittest.main()
