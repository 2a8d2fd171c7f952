// What tests call besides the generated interface: lists and streams read to their end, answers with their headers, and what
// somebody writes who has not got it. One member of an interface a line: the test reads from it which route it calls.
using System.Text.Json.Serialization;
using Orchard.Contracts;
using Refit;

namespace Orchard.Api;

/// <summary>Every route, as it is generated, and its lists read to their end: what they give can be printed as JSON.</summary>
public interface IReadApi : IOrchardApi
{
    [Get("/api/users")] Task<ApiResponse<Page<UserView>>> UsersAfter([AliasAs("after")] Guid after);
    [Post("/api/replays")] Task<Accepted> StartReplayOrThrow([Body(buffered: true)] StartReplayBody body);

    // Members that Refit leaves alone.
    Task<List<UserView>> ReadAllUsers(int limit) => Read(AllUsers(limit: limit));
    Task<List<FileView>> ReadAllFiles(int limit) => Read(AllFiles(limit: limit));
    Task<List<CommandView>> ReadAllCommands(int limit, string? state = null) => Read(AllCommands(state: state, limit: limit));
    Task<List<SignalView>> ReadAllSignals(int limit, string? run = null) => Read(AllSignals(run: run, limit: limit));
    Task<List<EventView>> ReadAllEvents(int limit, string? context = null) => Read(AllEvents(context: context, limit: limit));
    Task<List<SignalView>> ReadSignalStream(string? run = null, int most = int.MaxValue) => Read(StreamSignals(run: run), most);

    private static async Task<List<T>> Read<T>(IAsyncEnumerable<T> items, int most = int.MaxValue)
    {
        var read = new List<T>();
        await foreach (var item in items)
        {
            read.Add(item);
            if (read.Count == most) break;
        }
        return read;
    }
}

// What somebody writes who knows only the routes: no attribute that is not needed to compile.

public enum PlainSide { Buy, Sell, Flat }
public enum PlainState { Accepted, Processing, Completed, Failed, Cancelled }
public record PlainUser(string Email, string Name);
public record PlainReplay(IReadOnlyList<string> Files, IReadOnlyList<string>? Symbols, DateTime? From, DateTime? To, double? Speed, int? Loop, IReadOnlyList<PlainStrategy>? Strategies, string? Fill);
public record PlainStrategy(string? Name, string Strategy, Dictionary<string, object>? Parameters);
/// <summary>As names come out under `new JsonSerializerOptions()`.</summary>
public record PascalUser([property: JsonPropertyName("Email")] string Email, [property: JsonPropertyName("Name")] string Name);

/// <summary>Refit's defaults: chunked bodies, C#'s names of enums, `True`, dates of the US form, empty values.</summary>
public interface IPlainApi
{
    [Post("/api/users")] Task<Accepted> CreateUser([Body] PlainUser body, [Header("Idempotency-Key")] string? key = null);
    [Post("/api/users")] Task<Accepted> CreateUserPascal([Body] PascalUser body);
    [Post("/api/users")] Task<Accepted> CreateUserOfText([Body] string body);
    [Post("/api/replays")] Task<Accepted> StartReplay([Body] PlainReplay body);
    [Get("/api/commands/{id}")] Task<CommandView> Command(Guid id, string? wait = null);
    [Get("/api/commands")] Task<Page<CommandView>> Commands(PlainState? state = null, int? limit = null, string? cursor = null);
    [Get("/api/signals")] Task<Page<SignalView>> Signals(string? run = null, string? strategy = null, List<string>? symbol = null, PlainSide? side = null, DateTime? from = null, int? limit = null, string? cursor = null);
    [Get("/api/signals")] Task<Page<SignalView>> SignalsFrom([Query(Format = "O")] DateTime from);
    [Get("/api/events")] Task<Page<EventView>> Events(bool? latest = null, int? limit = null, string? context = null);
    [Get("/api/users")] Task<Page<UserView>> Users([Authorize("Bearer")] string? token = null);
}
