// What the contexts of these tests have beside examples/dotnet/Contracts.cs.
#nullable enable
using System;

namespace Orchard.Contracts;

public sealed record Notify : ICommand
{
    public Guid CommandId { get; init; } = Guid.NewGuid();
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
