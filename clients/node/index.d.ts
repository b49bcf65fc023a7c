import OSS from 'ali-oss';

/** How ali-oss reports the exchange behind a result. */
export interface Exchange {
  status: number;
  headers: Record<string, string>;
  requestUrls: string[];
  /** Milliseconds from request to response. */
  rt: number;
}

/** Options that ali-oss takes with every request. */
export interface RequestOptions {
  timeout?: number | string;
  headers?: Record<string, string>;
}

export type ChannelStatus = 'enabled' | 'disabled';
export type LiveStatus = 'Live' | 'Idle' | 'Disabled';

/** A channel's configuration. */
export interface ChannelConfig {
  /** Display name; the id stays the channel's name in the bucket. */
  name: string;
  /** At most 128 bytes of UTF-8. */
  description?: string;
  status?: ChannelStatus;
  type?: 'HLS';
  /** Seconds, 1 to 100. */
  fragDuration?: number;
  /** Fragments in the live playlist, 1 to 100. */
  fragCount?: number;
  /** Ends in `.m3u8`. */
  playlistName?: string;
}

/** The service's own form of a configuration; passed through unchanged. */
export interface NestedChannelConfig {
  Description?: string;
  Status?: ChannelStatus;
  Target?: {
    Type: 'HLS';
    FragDuration?: number | string;
    FragCount?: number | string;
    PlaylistName?: string;
  };
  Snapshot?: {
    RoleName: string;
    DestBucket: string;
    NotifyTopic: string;
    Interval: number | string;
  };
}

export interface PutChannelOptions extends RequestOptions {
  /** Fail with `ChannelAlreadyExists` instead of replacing a channel. Needs a service that knows the header. */
  ifNotExists?: boolean;
}

export interface PutChannelResult {
  publishUrls: string[];
  playUrls: string[];
  res: Exchange;
}

export interface GetChannelResult {
  /** The display name, or the id where the service keeps none. */
  name: string;
  description?: string;
  status: ChannelStatus;
  type: 'HLS';
  fragDuration: number;
  fragCount: number;
  playlistName: string;
  /** Absent where the service does not tell. */
  createTime?: Date;
  /** Absent where the service does not tell. */
  lastModified?: Date;
  /** The document as the service sent it. */
  data: Record<string, unknown>;
  res: Exchange;
}

export interface ListChannelsQuery {
  prefix?: string;
  marker?: string;
  /** 1 to 1000; the service's default is 100. */
  'max-keys'?: number | string;
}

export interface ListedChannel {
  name: string;
  description?: string;
  status: ChannelStatus;
  lastModified: Date;
  publishUrls: string[];
  playUrls: string[];
}

export interface ListChannelsResult {
  channels: ListedChannel[];
  isTruncated: boolean;
  nextMarker?: string;
  res: Exchange;
}

export interface GetChannelStatusOptions extends RequestOptions {
  /** Fail with `ChannelNotLive` unless a publisher is connected. */
  mustBeLive?: boolean;
}

export interface VideoStatus {
  width: number;
  height: number;
  frameRate: number;
  /** Bytes per second. */
  bandwidth: number;
  codec: string;
}

export interface AudioStatus {
  /** Bytes per second. */
  bandwidth: number;
  sampleRate: number;
  codec: string;
}

export interface GetChannelStatusResult {
  status: LiveStatus;
  connectedTime?: Date;
  remoteAddr?: string;
  video?: VideoStatus;
  audio?: AudioStatus;
  /** The document as the service sent it. */
  data: Record<string, unknown>;
  res: Exchange;
}

export interface ChannelRecord {
  startTime: Date;
  endTime: Date;
  remoteAddr: string;
}

export interface GetChannelHistoryResult {
  records: ChannelRecord[];
  res: Exchange;
}

/** Epoch seconds, at most a day apart. */
export interface VodRange {
  startTime: number;
  endTime: number;
}

export interface GetRtmpUrlOptions {
  /** Seconds from now; 1800 by default. */
  expires?: number;
  /** Further parameters of the URL; all of them are signed. */
  params?: Record<string, string | number>;
}

export interface Result {
  res: Exchange;
}

type Overridden =
  | 'putChannel'
  | 'getChannel'
  | 'deleteChannel'
  | 'putChannelStatus'
  | 'listChannels'
  | 'getChannelStatus'
  | 'getChannelHistory'
  | 'createVod'
  | 'getRtmpUrl';

/** ali-oss's client with its live-channel functions in flat, typed form. */
export interface LiveClient extends Omit<OSS, Overridden> {
  putChannel(
    id: string,
    conf: ChannelConfig | NestedChannelConfig,
    options?: PutChannelOptions
  ): Promise<PutChannelResult>;
  getChannel(id: string, options?: RequestOptions): Promise<GetChannelResult>;
  deleteChannel(id: string, options?: RequestOptions): Promise<Result>;
  putChannelStatus(id: string, status: ChannelStatus, options?: RequestOptions): Promise<Result>;
  listChannels(query?: ListChannelsQuery, options?: RequestOptions): Promise<ListChannelsResult>;
  getChannelStatus(id: string, options?: GetChannelStatusOptions): Promise<GetChannelStatusResult>;
  getChannelHistory(id: string, options?: RequestOptions): Promise<GetChannelHistoryResult>;
  /** A name without an extension gets `.m3u8`. */
  createVod(id: string, name: string, time: VodRange, options?: RequestOptions): Promise<Result>;
  getRtmpUrl(id: string, options?: GetRtmpUrlOptions): string;
}

export declare const LiveClient: new (options: OSS.Options) => LiveClient;
export default LiveClient;
