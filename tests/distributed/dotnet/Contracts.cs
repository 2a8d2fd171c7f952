// What the handlers of these tests have beside examples/dotnet/Contracts.cs.
#nullable enable
using System;

namespace Orchard.Contracts;

public sealed record Ask : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
    public required string What { get; init; }
    public required string Email { get; init; }
    public required string Name { get; init; }
}

public sealed record Notify : ICommand
{
    // What the peer answers with has the fields of the same name: a command that follows has an id of its own.
    Guid ICommand.CommandId { get; } = Guid.NewGuid();
    public required string Email { get; init; }
    public required string Name { get; init; }
}

public sealed record Greet : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
    public required string Name { get; init; }
}

public sealed record Stumble : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
    public required string Name { get; init; }
}

public sealed record Recover : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
    public required string Name { get; init; }
}

public sealed record Hang : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
    public required string Name { get; init; }
}

public sealed record Greeted : IEvent
{
    public Guid CorrelationId { get; init; }
    public required string Name { get; init; }
}
