#include "storage/free_space.hpp"

#include <gtest/gtest.h>

#include "storage/fake_file_system.hpp"

namespace cleat::storage {
namespace {

TEST(FreeSpace, ShortBelowTheLimitAndEnoughOnlyAnEighthAboveIt) {
  FakeFileSystem fs;
  FreeSpace space(fs, "dir", 800);
  EXPECT_FALSE(space.is_short());
  for (auto [free, expected] :
       {std::pair{800, false}, {799, true}, {850, true}, {899, true}, {900, false}, {800, false}}) {
    fs.set_capacity(static_cast<uint64_t>(free));
    space.look();
    EXPECT_EQ(space.is_short(), expected) << free;
    EXPECT_EQ(space.free_bytes(), static_cast<uint64_t>(free));
  }
}

TEST(FreeSpace, RealDiskAnswersAndAMissingDirectoryChangesNothing) {
  FreeSpace there(FileSystem::real(), "/tmp", 1);
  there.look();
  EXPECT_FALSE(there.is_short());
  EXPECT_GT(there.free_bytes(), 0u);
  EXPECT_LT(there.free_bytes(), UINT64_MAX);
  FreeSpace missing(FileSystem::real(), "/no/such/place", UINT64_MAX / 2);
  missing.look();
  EXPECT_FALSE(missing.is_short());
}

}  // namespace
}  // namespace cleat::storage
