// SPDX-License-Identifier: Apache-2.0
#include "simulation/memory_vfs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <sqlite3.h>
#include <sys/mman.h>
#include <unistd.h>

#include "simulation/lean_sqlite.hpp"

namespace usher::simulation {

namespace {

constexpr std::size_t block_bytes = 4096; // what a power loss keeps or takes as a whole
constexpr sqlite3_int64 page_bytes = 8192;
constexpr std::size_t region_bytes = 32768; // of shared memory, as SQLite asks for it
constexpr int name_bytes_max = 512;
constexpr std::size_t lock_of_writers = 0; // places in shared memory, as SQLite has them
constexpr std::size_t lock_of_recovery = 2;
constexpr off_t torn_at = 8;
constexpr std::int64_t julian_of_1970 = 210'866'760'000'000; // in milliseconds

MemoryVfs* current = nullptr; // SQLite's calls come with no more than its own structures

} // namespace

struct MemoryVfs::File {
    explicit File(std::string its_name) : name{std::move(its_name)} {}
    File(File const&) = delete;
    File& operator=(File const&) = delete;
    ~File()
    {
        if (memory >= 0)
            ::close(memory);
    }

    std::string name;
    std::string bytes;
    struct Kept {
        std::size_t block;
        std::size_t at; ///< In `kept_bytes`.
        std::size_t count;
    };
    std::vector<Kept> kept; ///< Blocks that were written to since the last sync, as they were then.
    std::string kept_bytes;
    std::vector<bool> is_kept;    ///< By block.
    std::size_t synced_bytes = 0; ///< How long it was then.

    std::map<Handle*, int> levels; ///< Of the locks on the file.

    int memory = -1; ///< Shared; every connection maps it for itself, so that a dead one can be cut off.
    std::size_t memory_bytes = 0;
    bool is_recovered = false;                        ///< By somebody who has not finished.
    std::array<int, SQLITE_SHM_NLOCK> memory_locks{}; ///< -1: exclusive; else how many share it.

    void keep_block(std::size_t block)
    {
        const std::size_t from = block * block_bytes;
        if (from >= synced_bytes)
            return;
        if (is_kept.size() <= block)
            is_kept.resize(block + 1);
        if (is_kept[block])
            return;
        is_kept[block] = true;
        const std::size_t count = std::min({block_bytes, synced_bytes - from, bytes.size() - from});
        kept.push_back({block, kept_bytes.size(), count});
        kept_bytes.append(bytes, from, count);
    }
    void write(std::size_t at, std::string_view what)
    {
        if (bytes.size() < at)
            bytes.resize(at);
        for (std::size_t block = at / block_bytes; block <= (at + what.size() - 1) / block_bytes; ++block)
            keep_block(block);
        bytes.replace(at, std::min(what.size(), bytes.size() - at), what);
    }
    void truncate(std::size_t size)
    {
        for (std::size_t block = size / block_bytes; block * block_bytes < bytes.size(); ++block)
            keep_block(block);
        bytes.resize(size);
    }
    void sync()
    {
        for (Kept const& one : kept)
            is_kept[one.block] = false;
        kept.clear();
        kept_bytes.clear();
        synced_bytes = bytes.size();
    }
    /// Each block that was not synced is as it was or as it would be.
    void lose(Dice& dice)
    {
        const std::string now = bytes;
        const std::size_t size = dice.one_in(2) ? now.size() : synced_bytes;
        const std::size_t first_new = (synced_bytes + block_bytes - 1) / block_bytes;
        bytes.resize(std::max(bytes.size(), synced_bytes));
        std::sort(kept.begin(), kept.end(), [](Kept const& a, Kept const& b) { return a.block < b.block; });
        for (Kept const& one : kept) // where it was cut, both the length and the blocks are as before
            if (const std::size_t from = one.block * block_bytes; dice.one_in(2) || from >= now.size()) {
                const std::size_t count = std::min(block_bytes, bytes.size() - from);
                bytes.replace(from, one.count, kept_bytes, one.at, one.count);
                bytes.replace(from + one.count, count - one.count, count - one.count, '\0');
            }
        for (std::size_t block = first_new; block * block_bytes < bytes.size(); ++block)
            if (dice.one_in(2)) {
                const std::size_t count = std::min(block_bytes, bytes.size() - block * block_bytes);
                bytes.replace(block * block_bytes, count, count, '\0');
            }
        bytes.resize(size);
        sync();
        levels.clear();
        memory_locks.fill(0);
        is_recovered = false;
        if (memory >= 0) {
            ::close(memory);
            memory = -1;
            memory_bytes = 0;
        }
    }
};

struct MemoryVfs::Handle {
    sqlite3_file base{};
    MemoryVfs* vfs = nullptr;
    std::shared_ptr<File> file;
    ProcessId process = 0;
    bool dead = false;
    bool deletes = false; ///< On close.
    int keeps_log = 0;
    int level = SQLITE_LOCK_NONE;
    std::vector<void*> regions;
    unsigned shares = 0;
    unsigned excludes = 0;
    Instant writes_since{};
    int error = 0; ///< As errno.
};

/// The functions that SQLite calls.
struct MemoryVfs::Calls {
    static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
    static MemoryVfs& of(sqlite3_vfs*) { return *current; }

    static int close(sqlite3_file* file)
    {
        Handle& handle = of(file);
        MemoryVfs& vfs = *handle.vfs;
        if (!handle.dead) {
            release(handle);
            if (handle.deletes)
                vfs.files_.erase(handle.file->name);
        }
        unmap_all(handle);
        vfs.handles_.erase(&handle);
        handle.~Handle();
        return SQLITE_OK;
    }

    static void release(Handle& handle)
    {
        File& shared = *handle.file;
        shared.levels.erase(&handle);
        for (unsigned i = 0; i < SQLITE_SHM_NLOCK; ++i) {
            if ((handle.excludes >> i & 1U) != 0)
                shared.memory_locks[i] = 0;
            if ((handle.shares >> i & 1U) != 0)
                --shared.memory_locks[i];
        }
        handle.excludes = handle.shares = 0;
        handle.level = SQLITE_LOCK_NONE;
    }

    static void unmap_all(Handle& handle)
    {
        for (void* region : handle.regions)
            ::munmap(region, region_bytes);
        handle.regions.clear();
    }

    static int fail(Handle& handle, int result, int error = EIO)
    {
        handle.error = error;
        return result;
    }

    static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at)
    {
        Handle& handle = of(file);
        MemoryVfs& vfs = *handle.vfs;
        if (!vfs.may_go_on(handle) || vfs.meets(handle, DiskFault::read_error))
            return fail(handle, SQLITE_IOERR_READ);
        vfs.clock_.charge(vfs.costs.read);
        std::string const& bytes = handle.file->bytes;
        const auto from = static_cast<std::size_t>(at);
        const auto wanted = static_cast<std::size_t>(count);
        const std::size_t there = from < bytes.size() ? std::min(wanted, bytes.size() - from) : 0;
        std::memcpy(to, bytes.data() + (there > 0 ? from : 0), there);
        if (there == wanted)
            return SQLITE_OK;
        std::memset(static_cast<char*>(to) + there, 0, wanted - there);
        return SQLITE_IOERR_SHORT_READ;
    }

    static int write(sqlite3_file* file, void const* from, int count, sqlite3_int64 at)
    {
        Handle& handle = of(file);
        MemoryVfs& vfs = *handle.vfs;
        if (!vfs.may_go_on(handle) || vfs.meets(handle, DiskFault::write_error))
            return fail(handle, SQLITE_IOERR_WRITE);
        if (!handle.file->name.ends_with("-wal") && vfs.meets(handle, DiskFault::checkpoint_error))
            return fail(handle, SQLITE_IOERR_WRITE);
        if (vfs.meets(handle, DiskFault::full))
            return fail(handle, SQLITE_FULL, ENOSPC);
        std::string_view what{static_cast<char const*>(from), static_cast<std::size_t>(count)};
        const bool is_short = vfs.meets(handle, DiskFault::short_write);
        if (is_short)
            what = what.substr(0, what.size() / 2);
        vfs.clock_.charge(vfs.costs.page * ((count + page_bytes - 1) / page_bytes));
        if (!what.empty())
            handle.file->write(static_cast<std::size_t>(at), what);
        if (handle.file->name.ends_with("-wal")) {
            ++vfs.log_writes_;
            ++vfs.log_writes_by_[handle.process];
        }
        return is_short ? fail(handle, SQLITE_IOERR_WRITE) : SQLITE_OK;
    }

    static int truncate(sqlite3_file* file, sqlite3_int64 size)
    {
        Handle& handle = of(file);
        if (!handle.vfs->may_go_on(handle) || handle.vfs->meets(handle, DiskFault::write_error))
            return fail(handle, SQLITE_IOERR_TRUNCATE);
        handle.file->truncate(static_cast<std::size_t>(size));
        return SQLITE_OK;
    }

    static int sync(sqlite3_file* file, int)
    {
        Handle& handle = of(file);
        MemoryVfs& vfs = *handle.vfs;
        if (!vfs.may_go_on(handle))
            return fail(handle, SQLITE_IOERR_FSYNC);
        const bool is_slow = vfs.dice_.percent(vfs.costs.slow_syncs);
        const auto most = std::max<Duration::rep>(vfs.costs.slow_sync.count(), 1);
        const Duration took = is_slow ? Duration{vfs.dice_.below(most)} : vfs.costs.sync;
        vfs.clock_.charge(took);
        if (took > vfs.costs.sync)
            vfs.slow_.emplace_back(vfs.clock_.steady_now(), took - vfs.costs.sync);
        if (vfs.meets(handle, DiskFault::sync_error))
            return fail(handle, SQLITE_IOERR_FSYNC);
        handle.file->sync();
        return SQLITE_OK;
    }

    static int size(sqlite3_file* file, sqlite3_int64* size)
    {
        Handle& handle = of(file);
        if (!handle.vfs->may_go_on(handle))
            return fail(handle, SQLITE_IOERR_FSTAT);
        *size = static_cast<sqlite3_int64>(handle.file->bytes.size());
        return SQLITE_OK;
    }

    static int lock(sqlite3_file* file, int level)
    {
        Handle& handle = of(file);
        if (!handle.vfs->may_go_on(handle))
            return fail(handle, SQLITE_IOERR_LOCK);
        if (handle.level >= level)
            return SQLITE_OK;
        if (handle.vfs->meets(handle, DiskFault::busy))
            return SQLITE_BUSY;
        int highest = SQLITE_LOCK_NONE;
        for (auto const& [other, others] : handle.file->levels)
            if (other != &handle)
                highest = std::max(highest, others);
        if (level == SQLITE_LOCK_SHARED && highest >= SQLITE_LOCK_PENDING)
            return SQLITE_BUSY;
        if (level == SQLITE_LOCK_RESERVED && highest >= SQLITE_LOCK_RESERVED)
            return SQLITE_BUSY;
        if (level == SQLITE_LOCK_EXCLUSIVE && highest >= SQLITE_LOCK_SHARED) {
            if (highest < SQLITE_LOCK_PENDING) // readers are to end, and none to begin
                handle.level = handle.file->levels[&handle] = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
        handle.level = handle.file->levels[&handle] = level;
        return SQLITE_OK;
    }

    static int unlock(sqlite3_file* file, int level)
    {
        Handle& handle = of(file);
        if (!handle.vfs->may_go_on(handle) || handle.level <= level)
            return SQLITE_OK;
        handle.level = level;
        if (level == SQLITE_LOCK_NONE)
            handle.file->levels.erase(&handle);
        else
            handle.file->levels[&handle] = level;
        return SQLITE_OK;
    }

    static int is_reserved(sqlite3_file* file, int* result)
    {
        Handle& handle = of(file);
        *result = 0;
        for (auto const& [other, level] : handle.file->levels)
            *result = *result != 0 || level >= SQLITE_LOCK_RESERVED ? 1 : 0;
        return SQLITE_OK;
    }

    static int control(sqlite3_file* file, int operation, void* argument)
    {
        Handle& handle = of(file);
        switch (operation) {
        case SQLITE_FCNTL_LOCKSTATE: *static_cast<int*>(argument) = handle.level; return SQLITE_OK;
        case SQLITE_FCNTL_LAST_ERRNO: *static_cast<int*>(argument) = handle.error; return SQLITE_OK;
        case SQLITE_FCNTL_PERSIST_WAL: {
            int& keeps = *static_cast<int*>(argument);
            if (keeps < 0)
                keeps = handle.keeps_log;
            else
                handle.keeps_log = keeps;
            return SQLITE_OK;
        }
        case SQLITE_FCNTL_SIZE_HINT:
        case SQLITE_FCNTL_CHUNK_SIZE: return SQLITE_OK;
        default: return SQLITE_NOTFOUND;
        }
    }

    static int sector_size(sqlite3_file*) { return 4096; }
    static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

    static int map(sqlite3_file* file, int number, int size, int extend, void volatile** region)
    {
        Handle& handle = of(file);
        File& shared = *handle.file;
        *region = nullptr;
        if (static_cast<std::size_t>(size) != region_bytes)
            return SQLITE_IOERR_SHMSIZE;
        if (!handle.vfs->may_go_on(handle))
            return fail(handle, SQLITE_IOERR_SHMMAP);
        const auto wanted = static_cast<std::size_t>(number) + 1;
        if (shared.memory_bytes < wanted * region_bytes) {
            if (extend == 0)
                return SQLITE_OK;
            if (shared.memory < 0)
                shared.memory = ::memfd_create("shm", MFD_CLOEXEC);
            if (shared.memory < 0 || ::ftruncate(shared.memory, static_cast<off_t>(wanted * region_bytes)) != 0)
                return SQLITE_IOERR_SHMMAP;
            shared.memory_bytes = wanted * region_bytes;
        }
        while (handle.regions.size() < wanted) {
            void* const mapped = ::mmap(
                nullptr, region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared.memory,
                static_cast<off_t>(handle.regions.size() * region_bytes)
            );
            if (mapped == MAP_FAILED)
                return SQLITE_IOERR_SHMMAP;
            handle.regions.push_back(mapped);
        }
        *region = handle.regions[wanted - 1];
        return SQLITE_OK;
    }

    static int memory_lock(sqlite3_file* file, int first, int count, int flags)
    {
        Handle& handle = of(file);
        const bool locks = (flags & SQLITE_SHM_LOCK) != 0;
        if (!handle.vfs->may_go_on(handle))
            return locks ? fail(handle, SQLITE_IOERR_SHMLOCK) : SQLITE_OK;
        auto& all = handle.file->memory_locks;
        const unsigned mask = ((1U << static_cast<unsigned>(count)) - 1U) << static_cast<unsigned>(first);
        const auto from = static_cast<std::size_t>(first);
        const auto to = from + static_cast<std::size_t>(count);
        if (!locks) {
            for (std::size_t i = from; i < to; ++i) {
                if ((handle.excludes >> i & 1U) != 0)
                    all[i] = 0;
                else if ((handle.shares >> i & 1U) != 0)
                    --all[i];
            }
            const bool wrote = (handle.excludes & mask & 1U) != 0;
            handle.excludes &= ~mask;
            handle.shares &= ~mask;
            if (wrote && handle.vfs->on_release)
                handle.vfs->on_release(handle.process, handle.writes_since);
            return SQLITE_OK;
        }
        if ((flags & SQLITE_SHM_SHARED) != 0) {
            if ((handle.shares & mask) != 0)
                return SQLITE_OK;
            if (all[from] < 0)
                return SQLITE_BUSY;
            ++all[from];
            handle.shares |= mask;
            return SQLITE_OK;
        }
        if (first == 0 && handle.vfs->meets(handle, DiskFault::busy)) // the lock of those who write
            return SQLITE_BUSY;
        for (std::size_t i = from; i < to; ++i)
            if ((handle.excludes >> i & 1U) == 0 && all[i] != 0)
                return SQLITE_BUSY;
        for (std::size_t i = from; i < to; ++i)
            all[i] = -1;
        if (first == 0)
            handle.writes_since = handle.vfs->clock_.steady_now();
        handle.excludes |= mask;
        return SQLITE_OK;
    }

    static void barrier(sqlite3_file*) {}

    static int unmap(sqlite3_file* file, int deletes)
    {
        Handle& handle = of(file);
        File& shared = *handle.file;
        unmap_all(handle);
        if (handle.dead)
            return SQLITE_OK;
        for (unsigned i = 0; i < SQLITE_SHM_NLOCK; ++i)
            if ((handle.shares >> i & 1U) != 0)
                --shared.memory_locks[i];
        handle.shares = 0;
        if (deletes != 0 && shared.memory >= 0) {
            ::close(shared.memory);
            shared.memory = -1;
            shared.memory_bytes = 0;
        }
        return SQLITE_OK;
    }

    static int open(sqlite3_vfs* self, char const* name, sqlite3_file* file, int flags, int* granted)
    {
        static const sqlite3_io_methods methods{
            2,      close,       read,    write,       truncate,        sync, size,        lock,
            unlock, is_reserved, control, sector_size, characteristics, map,  memory_lock, barrier,
            unmap,  nullptr,     nullptr};
        MemoryVfs& vfs = of(self);
        file->pMethods = nullptr;
        const std::string path = name != nullptr ? name : "temporary-" + std::to_string(++vfs.serial_);
        auto found = vfs.files_.find(path);
        if (found == vfs.files_.end()) {
            if ((flags & SQLITE_OPEN_CREATE) == 0 && (flags & SQLITE_OPEN_MAIN_DB) == 0)
                return SQLITE_CANTOPEN;
            found = vfs.files_.emplace(path, std::make_shared<File>(path)).first;
        }
        auto* const handle = new (file) Handle;
        handle->vfs = &vfs;
        handle->file = found->second;
        // A log or a journal is opened when it is needed, whoever runs then.
        handle->process = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0
                              ? of(sqlite3_database_file_object(name)).process
                              : vfs.process_;
        handle->dead = vfs.is_dead(handle->process);
        handle->deletes = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
        handle->base.pMethods = &methods;
        vfs.handles_.insert(handle);
        if (granted != nullptr)
            *granted = flags;
        return SQLITE_OK;
    }

    static int remove(sqlite3_vfs* self, char const* name, int)
    {
        MemoryVfs& vfs = of(self);
        if (vfs.is_dead(vfs.process_))
            return SQLITE_IOERR_DELETE;
        return vfs.files_.erase(name) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
    }

    static int access(sqlite3_vfs* self, char const* name, int flags, int* result)
    {
        auto const& files = of(self).files_;
        const auto found = files.find(name);
        *result = found != files.end() && (flags != SQLITE_ACCESS_EXISTS || !found->second->bytes.empty()) ? 1 : 0;
        return SQLITE_OK;
    }

    static int full_path(sqlite3_vfs*, char const* name, int size, char* result)
    {
        sqlite3_snprintf(size, result, "%s", name);
        return SQLITE_OK;
    }

    static int randomness(sqlite3_vfs* self, int count, char* bytes)
    {
        Dice& dice = of(self).randomness_;
        for (int i = 0; i < count; ++i)
            bytes[i] = static_cast<char>(dice.next() & 0xffU);
        return count;
    }

    static int pause(sqlite3_vfs* self, int microseconds)
    {
        of(self).clock_.charge(std::chrono::microseconds{microseconds});
        return microseconds;
    }

    static int time_now(sqlite3_vfs* self, sqlite3_int64* milliseconds)
    {
        const auto wall = std::chrono::floor<std::chrono::milliseconds>(of(self).clock_.wall_time());
        *milliseconds = julian_of_1970 + wall.time_since_epoch().count();
        return SQLITE_OK;
    }

    static int time_now_in_days(sqlite3_vfs* self, double* days)
    {
        sqlite3_int64 milliseconds = 0;
        time_now(self, &milliseconds);
        *days = static_cast<double>(milliseconds) / 86'400'000.0;
        return SQLITE_OK;
    }

    static int last_error(sqlite3_vfs*, int, char*) { return 0; }

    /// Of each new connection.
    static int opened(sqlite3* connection, char**, void const*)
    {
        constexpr int steps = 1000;
        if (current != nullptr && current->charged_.contains(current->process_))
            sqlite3_progress_handler(
                connection, steps,
                [](void*) {
                    if (current != nullptr)
                        current->clock_.charge(current->costs.work);
                    return 0;
                },
                nullptr
            );
        return SQLITE_OK;
    }

    static sqlite3_vfs& table()
    {
        static sqlite3_vfs vfs{2,        sizeof(Handle), name_bytes_max, nullptr,   "usher-memory",   nullptr,
                               open,     remove,         access,         full_path, nullptr,          nullptr,
                               nullptr,  nullptr,        randomness,     pause,     time_now_in_days, last_error,
                               time_now, nullptr,        nullptr,        nullptr};
        return vfs;
    }
};

MemoryVfs::MemoryVfs(VirtualClock& clock, std::uint64_t seed) : clock_{clock}, dice_{seed}, randomness_{seed ^ 0x5eedU}
{
    if (current != nullptr)
        throw std::logic_error{"there is a VFS in memory already"};
    current = this;
    make_sqlite_lean();
    sqlite3_initialize();
    sqlite3_vfs_register(&Calls::table(), 1);
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&Calls::opened));
    sqlite3_randomness(0, nullptr);
}

MemoryVfs::~MemoryVfs()
{
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&Calls::opened));
    sqlite3_vfs_unregister(&Calls::table());
    sqlite3_randomness(0, nullptr);
    current = nullptr;
}

void MemoryVfs::kill(ProcessId process)
{
    dead_.insert(process);
    plans_.erase(process);
    for (Handle* handle : handles_)
        if (handle->process == process && !handle->dead) {
            Calls::release(*handle);
            cut_off(*handle);
        }
}

/// What a dead process still writes into shared memory, nobody else sees.
void MemoryVfs::cut_off(Handle& handle)
{
    handle.dead = true;
    for (void* region : handle.regions) {
        const std::string copy{static_cast<char const*>(region), region_bytes};
        ::mmap(region, region_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        std::memcpy(region, copy.data(), copy.size());
    }
}

void MemoryVfs::power_loss()
{
    for (Handle* handle : handles_) {
        dead_.insert(handle->process);
        if (!handle->dead)
            cut_off(*handle);
    }
    plans_.clear();
    ++power_losses_;
    for (auto const& [name, file] : files_)
        file->lose(dice_);
}

void MemoryVfs::plan(ProcessId process, DiskFault fault, std::int64_t nth, std::int64_t times)
{
    plans_[process] = Plan{fault, nth, times};
}

bool MemoryVfs::meets(Handle& handle, DiskFault fault)
{
    const auto found = plans_.find(handle.process);
    if (found == plans_.end() || found->second.fault != fault)
        return false;
    Plan& planned = found->second;
    if (--planned.nth > 0)
        return false;
    ++faults_met_;
    if (--planned.times <= 0)
        plans_.erase(found);
    return true;
}

bool MemoryVfs::may_go_on(Handle& handle)
{
    ++operations_;
    if (!handle.dead && meets(handle, DiskFault::death))
        kill(handle.process);
    if (!handle.dead && meets(handle, DiskFault::power_loss))
        power_loss();
    return !handle.dead;
}

std::optional<std::string> MemoryVfs::contents(std::string const& name) const
{
    const auto found = files_.find(name);
    return found == files_.end() ? std::nullopt : std::optional{found->second->bytes};
}

void MemoryVfs::put(std::string const& name, std::string bytes)
{
    const auto file = std::make_shared<File>(name);
    file->bytes = std::move(bytes);
    file->sync();
    files_[name] = file;
}

bool MemoryVfs::begin_recovery(std::string const& name)
{
    const auto found = files_.find(name);
    if (found == files_.end() || found->second->memory < 0)
        return false;
    File& file = *found->second;
    if (file.memory_locks[lock_of_writers] != 0 || file.memory_locks[lock_of_recovery] != 0)
        return false;
    file.memory_locks[lock_of_writers] = file.memory_locks[lock_of_recovery] = -1;
    file.is_recovered = true;
    // Of the two copies of its header the first is torn.
    std::uint64_t word = 0;
    if (::pread(file.memory, &word, sizeof word, torn_at) != ssize_t{sizeof word})
        return false;
    word = ~word;
    return ::pwrite(file.memory, &word, sizeof word, torn_at) == ssize_t{sizeof word};
}

void MemoryVfs::end_recovery(std::string const& name)
{
    const auto found = files_.find(name);
    if (found == files_.end() || !std::exchange(found->second->is_recovered, false))
        return;
    // Whoever comes next makes it anew.
    found->second->memory_locks[lock_of_writers] = found->second->memory_locks[lock_of_recovery] = 0;
}

void MemoryVfs::remove(std::string const& name)
{
    files_.erase(name);
}

Duration MemoryVfs::slow_since(Instant from)
{
    std::erase_if(slow_, [&](auto const& sync) { return sync.first < from; });
    Duration sum{};
    for (auto const& [at, longer] : slow_)
        sum += longer;
    return sum;
}

} // namespace usher::simulation
